"""A model taught on this device: a small head, fitted to a few photos in NumPy, on a backbone that was converted on a
workstation. Never trains the backbone, and never needs more than a device has.
"""
