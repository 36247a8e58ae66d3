"""HOST: a run directory (or a `.keras` file) in, one verified full-integer model file out. Never imports `train`."""

import sys

from edge_runtime.system.command import quiet_interrupts

if sys.argv[:1] == ["-m"]:  # run as a command: what follows are seconds of imports
    quiet_interrupts()
