"""From a frame to a model's input: pure, ending at uint8, with the decoding of images. Never normalises: that belongs
to the model.
"""
