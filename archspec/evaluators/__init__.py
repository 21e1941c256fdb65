"""Evaluators: what predictions and the truth say of a network together. One kind of figures a file."""
