"""Runs: a graph, data and a task, brought together once and trained by Keras's ``fit``."""
