"""The kinds of camera, one per module, each read in the process that opens it. Never imported before it is needed."""
