"""A Keras model -> a flatbuffer -> its contract and goldens. Never measures, and never reads a command line."""
