"""Must err: answers under an id that nobody asked with."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class WrongId(Reference):
    def handle(self, request):
        return {**super().handle(request), "id": "7"} if "load" in request else super().handle(request)


if __name__ == "__main__":
    serve(WrongId(), sys.stdin.buffer, sys.stdout.buffer)
