"""Damaged JPEG images by the thousand, and how many of them are still taken for images."""
