"""What a camera makes of an image: smaller, off-centre, in front of something else, in other light. Never a network."""
