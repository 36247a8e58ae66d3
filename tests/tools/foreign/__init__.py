"""Compares each foreign model with a simple script: `python -m tests.tools.foreign CLONES --images DIR`."""
