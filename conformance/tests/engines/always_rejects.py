"""Must fail: rejects every event, and so nothing ever changes."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class AlwaysRejects(Reference):
    def receipt(self, state, raw):
        return {"status": "rejected", "reason": "malformed", "amounts": {}, "postings": []}


if __name__ == "__main__":
    serve(AlwaysRejects(), sys.stdin.buffer, sys.stdout.buffer)
