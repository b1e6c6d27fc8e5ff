"""Must err: gives fewer receipts than it was given events."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class LosesReceipts(Reference):
    def handle(self, request):
        answer = super().handle(request)
        if "apply" in answer:
            answer["apply"]["receipts"] = answer["apply"]["receipts"][:-1]
        return answer


if __name__ == "__main__":
    serve(LosesReceipts(), sys.stdin.buffer, sys.stdout.buffer)
