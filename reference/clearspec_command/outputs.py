"""Output files that appear whole at the end, or not at all."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from clearspec_command.failures import BadInput

STANDARD_OUTPUT = "-"


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Turn a failure to write ``path`` into refused input; a reader that went away is left to ``main``."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror or error}") from None


@dataclass(slots=True)
class Output:
    """A file being written: its name as given, where it will stand, and the temporary file beside it (if any)."""

    name: str
    target: Path
    stream: BinaryIO
    temporary: Path | None


@dataclass(slots=True)
class Outputs:
    """The files of one command. Leaving the block well puts each in its place; any error leaves none behind."""

    inputs: tuple[Path, ...] = ()
    files: list[Output] = field(default_factory=list)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._discard()

    def open(self, name: str) -> BinaryIO:
        """Start a file; ``-`` is standard output.

        Raises:
            BadInput: the file cannot be written, stands among the inputs, or is written twice.
        """
        target = Path(os.path.realpath(name))
        if name == STANDARD_OUTPUT:
            target = Path(STANDARD_OUTPUT)
        elif any(target == Path(os.path.realpath(path)) for path in self.inputs):
            raise BadInput(f"{name}: cannot be written: it is read as an input")
        if any(target == output.target for output in self.files):
            raise BadInput(f"{name}: cannot be written: two outputs go there")
        with writing(name):
            output = self._started(name, target)
        return output.stream

    def _started(self, name: str, target: Path) -> Output:
        """Open the temporary file beside a target, or a target that is no regular file itself."""
        import tempfile

        if target.is_dir():
            raise IsADirectoryError(None, "it is a directory")
        if name == STANDARD_OUTPUT:
            self.files.append(Output(name, target, sys.stdout.buffer, None))
        elif target.exists() and not target.is_file():
            self.files.append(Output(name, target, target.open("wb"), None))
        else:
            handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
            self.files.append(Output(name, target, os.fdopen(handle, "wb"), Path(temporary)))
            Path(temporary).chmod(_mode(target))
        return self.files[-1]

    def _finish(self) -> None:
        """Close every file, then put each in its place."""
        for output in self.files:
            with writing(output.name):
                output.stream.flush()
                if output.temporary is not None:
                    os.fsync(output.stream.fileno())
                    output.stream.close()
        for output in self.files:
            if output.temporary is not None:
                with writing(output.name):
                    os.replace(output.temporary, output.target)
                output.temporary = None

    def _discard(self) -> None:
        """Remove what has not been put in its place."""
        for output in self.files:
            if output.name != STANDARD_OUTPUT:
                with suppress(OSError):
                    output.stream.close()
            if output.temporary is not None:
                with suppress(OSError):
                    output.temporary.unlink()


def _mode(target: Path) -> int:
    """Permissions of a file that is replaced, or those that a new file gets."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
