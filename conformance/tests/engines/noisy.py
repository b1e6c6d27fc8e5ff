"""Must pass: says a great deal, but on standard error."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Noisy(Reference):
    def handle(self, request):
        sys.stderr.write('{"id": "1", "hello": {}}\n' * 20_000)
        return super().handle(request)


if __name__ == "__main__":
    serve(Noisy(), sys.stdin.buffer, sys.stdout.buffer)
