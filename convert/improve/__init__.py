"""Compares a new model with the old one on images that neither was trained on. Never changes a model."""
