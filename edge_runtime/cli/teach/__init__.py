"""``edge-runtime teach``: its flags, and the prompts while photos are taken. Never fits anything itself."""
