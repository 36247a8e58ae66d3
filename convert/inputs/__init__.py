"""What can be converted, and the images it is calibrated on, as one `Source`. Never converts."""
