"""Must hang: takes its time over every trade."""

import sys
import time

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Late(Reference):
    def receipt(self, state, raw):
        if "trade" in raw["action"]:
            time.sleep(60)
        return super().receipt(state, raw)


if __name__ == "__main__":
    serve(Late(), sys.stdin.buffer, sys.stdout.buffer)
