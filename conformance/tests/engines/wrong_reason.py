"""Must fail: state and verdicts are right, but every rejection has the same reason."""

import sys
from dataclasses import replace

from clearspec.events import Reason
from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class WrongReason(Reference):
    def receipt(self, state, raw):
        found = super().receipt(state, raw)
        return found if found.reason is None else replace(found, reason=Reason.MALFORMED)


if __name__ == "__main__":
    serve(WrongReason(), sys.stdin.buffer, sys.stdout.buffer)
