"""Where accuracy went: which layer lost it, and what to do. Never changes a model."""
