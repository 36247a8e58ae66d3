"""Transfer learning: a user's own photos and a pretrained backbone. Never knows training from scratch."""
