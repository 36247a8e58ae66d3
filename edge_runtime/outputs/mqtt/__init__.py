"""Results to an MQTT broker, and Home Assistant's discovery. Never holds up a label; the extra `mqtt`."""
