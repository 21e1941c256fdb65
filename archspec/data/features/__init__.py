"""Kinds of features, one a module."""
