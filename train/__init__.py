"""Images in, a run directory out; runs on a workstation and never reaches a device. Never imports `convert`.

`from train import fit_arrays` trains from a program, on arrays or a `tf.data.Dataset`.
"""

import sys

from edge_runtime.system.command import quiet_interrupts

if sys.argv[:1] == ["-m"]:  # run as a command: what follows are seconds of imports
    quiet_interrupts()

from train.arrays import fit_arrays
from train.curves import Curves

__all__ = ["Curves", "fit_arrays"]
