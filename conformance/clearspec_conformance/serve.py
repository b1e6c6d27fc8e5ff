"""An engine written in Python over stdio: ``python -m clearspec_conformance.serve [MODULE:CLASS]``.

Without an argument the reference. The class has a method ``handle`` that takes the document of a request and returns
that of the answer.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, BinaryIO, Protocol

from clearspec.codec import DecodeError
from clearspec_conformance.protocol import ERROR, LONGEST_LINE, EngineError, ErrorCode, line, parsed, written
from clearspec_conformance.reference_engine import Reference


class Handler(Protocol):
    """An engine in this process."""

    def handle(self, request: Any) -> Any:
        """The document of the answer to the document of a request."""


def made(place: str) -> Handler:
    """The engine ``MODULE:CLASS``.

    Raises:
        ImportError, AttributeError, TypeError: there is none.
    """
    module, _, name = place.partition(":")
    found: Handler = getattr(import_module(module), name)()
    if not callable(getattr(found, "handle", None)):
        raise TypeError(f"{place} has no method handle")
    return found


def answer_to(engine: Handler, data: bytes) -> Any:
    """The document that answers a line."""
    try:
        request = parsed(data)
    except DecodeError as error:
        return line("unknown", ERROR, EngineError(ErrorCode.BAD_REQUEST, str(error)))
    return engine.handle(request)


def serve(engine: Handler, source: BinaryIO, target: BinaryIO) -> None:
    """Answer line by line until ``bye`` or the end of input."""
    while data := source.readline(LONGEST_LINE + 1):
        answer = answer_to(engine, data)
        target.write(written(answer))
        target.flush()
        if "bye" in answer:
            return


def main(arguments: list[str]) -> int:
    """Serve an engine; returns the exit code."""
    if len(arguments) > 1:
        print("usage: python -m clearspec_conformance.serve [MODULE:CLASS]", file=sys.stderr)
        return 2
    engine = made(arguments[0]) if arguments else Reference()
    serve(engine, sys.stdin.buffer, sys.stdout.buffer)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
