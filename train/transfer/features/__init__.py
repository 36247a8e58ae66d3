"""What the frozen part of the backbone says of each image, computed once and kept. Never trains."""
