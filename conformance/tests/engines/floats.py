"""Must err: writes integers as JSON numbers."""

import json
import sys

from clearspec_conformance.reference_engine import Reference

if __name__ == "__main__":
    engine = Reference()
    for line in sys.stdin:
        answer = json.dumps(engine.handle(json.loads(line)))
        print(answer.replace('"sequence": "', '"sequence": 1e0, "x": "'), flush=True)
