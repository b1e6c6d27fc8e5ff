"""Must fail: claims to restore a snapshot, but forgets what ids it has seen."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class ForgetsRestored(Reference):
    def loaded(self, body):
        answer = super().loaded(body)
        self.state.recent.clear()
        return answer


if __name__ == "__main__":
    serve(ForgetsRestored(), sys.stdin.buffer, sys.stdout.buffer)
