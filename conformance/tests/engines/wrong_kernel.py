"""Must fail: its kernels are off by one atom."""

import sys

from clearspec_conformance.protocol import Computed
from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class WrongKernel(Reference):
    def computed(self, body):
        return Computed({name: value + 1 for name, value in super().computed(body).results.items()})


if __name__ == "__main__":
    serve(WrongKernel(), sys.stdin.buffer, sys.stdout.buffer)
