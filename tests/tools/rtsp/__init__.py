"""An RTSP camera on loopback, and what is measured with it: how old frames are after the capture process was stopped."""
