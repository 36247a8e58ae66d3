"""Images in, a run directory out; runs on a workstation and never reaches a device. Never imports `convert`."""
