"""Readers of weight files: names and shapes first, arrays when a spec has asked for them."""
