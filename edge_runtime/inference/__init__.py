"""Input bytes in, a prediction out: the interpreter, the arithmetic around it, the classifier, its self-test. Never
knows where a frame came from or where a prediction goes.
"""
