"""``edge-runtime`` and ``python -m edge_runtime``: the command line. Until it is loaded, the package itself handles
SIGTERM.
"""

from __future__ import annotations

import sys

from edge_runtime import cli
from edge_runtime.system.command import open_streams


def main() -> int:
    """Runs the verb on the command line; returns the exit code."""
    open_streams()
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
