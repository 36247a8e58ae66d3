"""Loads the interpreters before anything can import TensorFlow: tflite-runtime 2.14 misreads models the other way round."""

from edge_runtime.inference.interpreter import list_available_backends

list_available_backends()
