"""Sorts saved camera frames into class folders, on a local page. Never deletes an image, never trains."""
