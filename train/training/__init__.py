"""What both ways of training share: targets, checkpoints, predictions, scores. Never knows which of the two uses it."""
