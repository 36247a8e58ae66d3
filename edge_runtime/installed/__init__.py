"""A new model on this device: its installation, the health check after the switch, the rollback. Never sees a frame."""
