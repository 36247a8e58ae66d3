"""From a frame to the input of a model, pure, ending at uint8; decoding of images on the way. Never normalises: that
belongs to the model."""
