"""The pretrained network of transfer learning: its architecture, and its weights read safely.
Never trains it.
"""
