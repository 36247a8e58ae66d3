"""The flatbuffer as a tree: reading, packing, auditing, metadata. Never loads Keras, and never runs a model."""
