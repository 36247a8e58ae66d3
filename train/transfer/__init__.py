"""Transfer learning on own photos, on top of a backbone. Never knows training from scratch."""
