"""``edge-runtime run``: its flags, its model, its outputs. Never holds anything that a program without a command line
would need."""
