"""Whole files, progress, page frames, plots: how results leave. Never knows what they mean."""
