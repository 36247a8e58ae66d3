"""Measures accuracy and speed with the device's own code: the gate, thresholds, latency. Never writes a page."""
