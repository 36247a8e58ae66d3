"""HOST: a run directory (or a `.keras` file) in, one verified full-integer model file out. Never imports `train`."""

from edge_runtime.system.command import begin_command

begin_command()  # what follows are seconds of imports
