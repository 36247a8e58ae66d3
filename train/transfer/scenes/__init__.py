"""What a camera makes of an image: smaller, off-centre, before something else, in other light. Never a network."""
