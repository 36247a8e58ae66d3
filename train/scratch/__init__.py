"""Training from scratch: augmentation, batches, the loop, a teacher. Never knows transfer learning."""
