"""What a conversion found, as values and as pages. Never measures anything."""
