"""``make bench``: this project against the programs that a user would pick instead, interleaved in one run."""
