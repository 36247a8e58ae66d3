"""Compares foreign models with a straightforward script each: `python -m tests.tools.foreign CLONES --images DIR`."""
