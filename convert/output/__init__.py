"""Whole files, progress, page frames, plots: how results are written. Never knows what they mean."""
