"""Must err: ends at every trade, with a last word on standard error."""

import os
import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Dies(Reference):
    def receipt(self, state, raw):
        if "trade" in raw["action"]:
            print("out of memory", file=sys.stderr, flush=True)
            os._exit(3)
        return super().receipt(state, raw)


if __name__ == "__main__":
    serve(Dies(), sys.stdin.buffer, sys.stdout.buffer)
