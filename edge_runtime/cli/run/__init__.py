"""``edge-runtime run``: its flags, its model, its outputs. Never holds what a program without a command line
would want."""
