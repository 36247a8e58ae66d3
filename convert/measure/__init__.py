"""How good and how fast a model is, through the device's own path: the gate, thresholds, latency. Never writes a
page.
"""
