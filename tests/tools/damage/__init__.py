"""Makes damaged JPEG images by the thousand, and counts how many are still accepted."""
