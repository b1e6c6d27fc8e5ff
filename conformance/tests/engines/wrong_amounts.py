"""Must fail: claims receipts, but leaves the postings out."""

import sys
from dataclasses import replace

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class WrongAmounts(Reference):
    def receipt(self, state, raw):
        return replace(super().receipt(state, raw), postings=())


if __name__ == "__main__":
    serve(WrongAmounts(), sys.stdin.buffer, sys.stdout.buffer)
