"""The kinds of camera, one a module, each read in the process that opens it. Never imported before it is asked for."""
