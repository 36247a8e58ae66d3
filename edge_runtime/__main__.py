"""``edge-runtime`` and ``python -m edge_runtime``: the command line, which may be told to end before it is there."""

from __future__ import annotations

import sys

if sys.argv[1:2] == ["run"]:  # a service that is stopped while it starts has ended well
    import os
    import signal

    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))

from edge_runtime.cli import main

if __name__ == "__main__":
    sys.exit(main())
