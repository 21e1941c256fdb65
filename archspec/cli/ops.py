"""The earlier name of 'archspec reference', which it stays."""

from archspec.cli.reference import add_arguments, run

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = ("archspec ops conv",)
