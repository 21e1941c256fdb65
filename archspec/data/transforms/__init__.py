"""The transforms, one family a file."""
