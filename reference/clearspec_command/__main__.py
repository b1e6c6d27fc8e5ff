"""``python -m clearspec_command`` is the ``clearspec`` command, also before it is installed."""

import sys

from clearspec_command.main import main

sys.exit(main())
