"""The one file: reading and writing it, its goldens and signatures, and files that others made. Never runs a model."""
