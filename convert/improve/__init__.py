"""A new model against the old one on images that neither learnt, with one verdict. Never changes a model."""
