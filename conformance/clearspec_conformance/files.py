"""Output files that appear whole at the end, or not at all."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from clearspec_conformance.failures import BadInput

STANDARD_OUTPUT = "-"


@contextmanager
def _writing(name: str) -> Iterator[None]:
    """Turn a failure to write into refused input; a reader that went away is left to the command."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise BadInput(f"{name}: cannot be written: {error.strerror or error}") from None


def _mode(target: Path) -> int:
    """Permissions of a file that is replaced, or those that a new file gets."""
    if target.exists():
        return stat.S_IMODE(target.stat().st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _is_replaced(name: str, target: Path) -> bool:
    """Whether a file is written beside its target and then put in its place; a device or pipe is written itself."""
    return name != STANDARD_OUTPUT and (not target.exists() or target.is_file())


class Files:
    """The files of one command, by name. They are begun before the run, so that a bad name costs no run."""

    def __init__(self, names: Sequence[str], inputs: Sequence[Path] = ()) -> None:
        self.targets = {name: Path(os.path.realpath(name)) for name in names}
        self.temporary: dict[str, Path] = {}
        if len(set(self.targets.values())) < len(names):
            raise BadInput("two outputs go to the same file")
        for path in inputs:
            if Path(os.path.realpath(path)) in self.targets.values():
                raise BadInput(f"{path}: cannot be written: it is read as an input")

    def __enter__(self) -> Files:
        try:
            for name, target in self.targets.items():
                with _writing(name):
                    self._begin(name, target)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for path in self.temporary.values():
            with suppress(OSError):
                path.unlink()

    def _begin(self, name: str, target: Path) -> None:
        """Make the temporary file beside a target."""
        if target.is_dir():
            raise IsADirectoryError(None, "it is a directory")
        if _is_replaced(name, target):
            handle, path = tempfile.mkstemp(prefix=f".{target.name[:100]}.", suffix=".part", dir=target.parent)
            os.close(handle)
            self.temporary[name] = Path(path)
            Path(path).chmod(_mode(target))

    def finish(self, contents: dict[str, bytes]) -> None:
        """Write every file, then put each in its place."""
        for name, data in contents.items():
            with _writing(name):
                if name == STANDARD_OUTPUT:
                    sys.stdout.buffer.write(data)
                    sys.stdout.buffer.flush()
                else:
                    self.temporary.get(name, self.targets[name]).write_bytes(data)
        for name, path in list(self.temporary.items()):
            with _writing(name):
                os.replace(path, self.targets[name])
            del self.temporary[name]
