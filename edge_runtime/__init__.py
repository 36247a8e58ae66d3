"""Classifies camera frames on a small device with one verified TFLite file; never imports TensorFlow."""
