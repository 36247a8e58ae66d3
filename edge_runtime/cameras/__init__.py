"""Where frames come from: what an address means, and the newest frame of any camera. Never imports `installed`, `live`
or `outputs`.
"""
