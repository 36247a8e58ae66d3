"""Label lists as people and programs write them; each assumption is put into words. Never guesses what a class is."""
