"""Images in, a run directory out; runs on a workstation and never reaches a device. Never imports `convert`.

`from train import fit_arrays` trains from a program, on arrays or a `tf.data.Dataset`.
"""

from edge_runtime.system.command import begin_command

begin_command()  # what follows are seconds of imports

from train.arrays import fit_arrays  # noqa: E402
from train.curves import Curves  # noqa: E402

__all__ = ["Curves", "fit_arrays"]
