"""An RTSP camera on loopback, and a measurement with it: how old frames are after the capture process was stopped."""
