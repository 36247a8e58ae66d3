"""The model file: reading and writing it, its goldens and signatures, and files from elsewhere. Never runs a model."""
