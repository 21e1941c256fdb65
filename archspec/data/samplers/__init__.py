"""Samplers, one a module."""
