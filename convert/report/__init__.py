"""The results of a conversion, as values and as pages. Never measures anything."""
