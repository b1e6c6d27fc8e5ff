"""Must err: answers everything twice."""

import sys

from clearspec_conformance.protocol import parsed, written
from clearspec_conformance.reference_engine import Reference

if __name__ == "__main__":
    engine = Reference()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(2 * written(engine.handle(parsed(line))))
        sys.stdout.buffer.flush()
