"""Must fail: claims a state root, but has none."""

import sys
from dataclasses import replace

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class WrongRoot(Reference):
    def seen(self, body):
        return replace(super().seen(body), root="0" * 64)


if __name__ == "__main__":
    serve(WrongRoot(), sys.stdin.buffer, sys.stdout.buffer)
