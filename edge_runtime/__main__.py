"""``edge-runtime`` and ``python -m edge_runtime``: the command line; what it is told to end before it is there, the
package itself hears.
"""

from __future__ import annotations

import sys

from edge_runtime import cli
from edge_runtime.system.command import open_streams


def main() -> int:
    """Runs the verb that the command line names; the exit code."""
    open_streams()
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
