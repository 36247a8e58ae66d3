"""The models on this device: the store, installing, the health check after a switch, the rollback. Never
sees a frame."""
