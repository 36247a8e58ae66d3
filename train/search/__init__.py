"""The best network within a budget: runs `train` and `convert` as processes, and never imports `convert`."""
