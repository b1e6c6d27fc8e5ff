"""Must err: begins a line at every trade and never ends it."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Overlong(Reference):
    def receipt(self, state, raw):
        while "trade" in raw["action"]:
            sys.stdout.write("x" * 2**16)
        return super().receipt(state, raw)


if __name__ == "__main__":
    serve(Overlong(), sys.stdin.buffer, sys.stdout.buffer)
