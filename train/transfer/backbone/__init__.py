"""The pretrained network that own photos are learnt on top of: its architecture, and its weights read safely.
Never trains it.
"""
