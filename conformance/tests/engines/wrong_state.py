"""Must fail: every receipt is right, but each account that holds anything shows one atom more of it."""

import sys

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class WrongState(Reference):
    def handle(self, request):
        answer = super().handle(request)
        for account in answer.get("snapshot", {}).get("observable", {}).get("accounts", {}).values():
            held = account["balances"]
            account["balances"] = {asset: str(int(one) + (one != "0")) for asset, one in held.items()}
        return answer


if __name__ == "__main__":
    serve(WrongState(), sys.stdin.buffer, sys.stdout.buffer)
