"""Must not count as well: claims every feature and implements nothing."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class LacksEverything(Reference):
    def handle(self, request):
        if "hello" in request or "bye" in request:
            return super().handle(request)
        return {"id": request["id"], "error": {"code": "not_implemented", "message": "later"}}


if __name__ == "__main__":
    serve(LacksEverything(), sys.stdin.buffer, sys.stdout.buffer)
