"""Files that are whole or not there, and results that are computed once: the ground, of the standard library alone."""
