"""Images in, a run directory out; runs on a workstation and never reaches a device. Never imports `convert`.

`from train import fit_arrays` trains from a program, on arrays or a `tf.data.Dataset`.
"""

# The C module behind `signal`, which would have to be imported first.
import _signal  # type: ignore[import-not-found]
import os
import sys

if sys.argv[:1] == ["-m"] and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    # Even the handler that replaces this one takes some milliseconds to import, and Ctrl-C then would show a traceback.
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"\ninterrupted\n"), os._exit(130)))

from edge_runtime.system.command import begin_command

begin_command()  # the imports below take seconds
# NumPy multiplies small matrices here. Its threads wait for each other in a busy loop, which takes many times as long
# as the work where other programs keep the cores busy.
if sys.argv[:1] == ["-m"]:  # not for whoever imports this into a program of their own
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from train.arrays import fit_arrays  # noqa: E402
from train.curves import Curves  # noqa: E402

__all__ = ["Curves", "fit_arrays"]
