"""Must err: a debugging line gets among the answers at every trade."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Garbage(Reference):
    def receipt(self, state, raw):
        if "trade" in raw["action"]:
            print("DEBUG margin \x1b[31mrecomputed", flush=True)
        return super().receipt(state, raw)


if __name__ == "__main__":
    serve(Garbage(), sys.stdin.buffer, sys.stdout.buffer)
