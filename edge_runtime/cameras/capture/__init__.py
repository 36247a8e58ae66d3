"""The process around a live camera, which may hang, crash or be killed without harm. Never classifies anything."""
