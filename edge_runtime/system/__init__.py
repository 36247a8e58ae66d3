"""What is asked of the operating system: clocks, memory, signals, durable writes, the watchdog. Never knows a model or
a camera."""
