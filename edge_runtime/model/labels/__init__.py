"""Label lists as people and programs write them, each reading put into words; never a guess at what a class is."""
