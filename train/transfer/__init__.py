"""Transfer learning: own photos and a pretrained backbone. Never knows training from scratch."""
