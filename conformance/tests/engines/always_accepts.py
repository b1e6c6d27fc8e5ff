"""Must fail: accepts every event. Its state is right, for it asks the reference."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class AlwaysAccepts(Reference):
    def receipt(self, state, raw):
        super().receipt(state, raw)
        return {"status": "accepted", "amounts": {}, "postings": []}


if __name__ == "__main__":
    serve(AlwaysAccepts(), sys.stdin.buffer, sys.stdout.buffer)
