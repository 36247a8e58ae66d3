"""HOST: a run directory (or a `.keras` file) in, one verified full-integer model file out. Never imports `train`."""
