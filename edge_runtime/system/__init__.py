"""Everything that uses the operating system directly: clocks, memory, signals, durable writes, the watchdog. Never
knows a model or a camera.
"""
