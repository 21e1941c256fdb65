"""The tokenisers, one module a family."""
