"""Must err: starts a process of its own, notes its number in the file given, and dies at the first event."""

import os
import subprocess
import sys
from pathlib import Path

from clearspec_conformance.reference_engine import Reference
from clearspec_conformance.serve import serve


class Orphans(Reference):
    def receipt(self, state, raw):
        child = subprocess.Popen(["sleep", "300"])
        Path(sys.argv[1]).write_text(str(child.pid))
        os._exit(0)


if __name__ == "__main__":
    serve(Orphans(), sys.stdin.buffer, sys.stdout.buffer)
