"""The tasks, one folder each: what a network's outputs mean in terms of the data."""
