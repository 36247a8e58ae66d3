"""The variants of one model side by side, measured, and which one to take. Never writes a file for a device."""
