"""Must hang: says hello and then reads no more."""

import sys
import time

from clearspec_conformance.protocol import parsed, written
from clearspec_conformance.reference_engine import Reference

if __name__ == "__main__":
    sys.stdout.buffer.write(written(Reference().handle(parsed(sys.stdin.buffer.readline()))))
    sys.stdout.buffer.flush()
    time.sleep(60)
