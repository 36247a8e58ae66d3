"""Where frames come from: what an address means, and the newest frame of any camera. Never imports what is installed
here, the live loop, or an output."""
