"""Must fail: rejects a trade, and ends when it is asked about it again."""

import os
import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Sulks(Reference):
    sulking = False

    def loaded(self, body):
        if self.sulking:
            os._exit(4)
        return super().loaded(body)

    def receipt(self, state, raw):
        if "trade" not in raw["action"]:
            return super().receipt(state, raw)
        self.sulking = True
        return {"status": "rejected", "reason": "insufficient_margin"}


if __name__ == "__main__":
    serve(Sulks(), sys.stdin.buffer, sys.stdout.buffer)
