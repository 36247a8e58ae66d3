"""The model files on this device: those that the package ships, those that were installed, which one is in use, and
what a model's name means. Never looks into a model, and never runs one.
"""
