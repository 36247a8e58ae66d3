"""HOST: a run directory (or a `.keras` file) in, one verified full-integer model file out. Never imports `train`."""

# The C module behind `signal`, which would have to be imported first.
import _signal  # type: ignore[import-not-found]
import os
import sys

if sys.argv[:1] == ["-m"] and _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    # Even the handler that replaces this one takes some milliseconds to import, and Ctrl-C then would show a traceback.
    _signal.signal(_signal.SIGINT, lambda *_: (os.write(2, b"\ninterrupted\n"), os._exit(130)))

from edge_runtime.system.command import begin_command

begin_command()  # the imports that follow take seconds
