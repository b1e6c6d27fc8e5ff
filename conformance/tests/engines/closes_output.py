"""Must err: closes its standard output at the first trade and lives on."""

import os
import sys
import time

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class ClosesOutput(Reference):
    def receipt(self, state, raw):
        if "trade" in raw["action"]:
            os.close(1)
            time.sleep(60)
        return super().receipt(state, raw)


if __name__ == "__main__":
    serve(ClosesOutput(), sys.stdin.buffer, sys.stdout.buffer)
