"""The features that the frozen part of the backbone gives for each image, computed once and kept. Never trains."""
