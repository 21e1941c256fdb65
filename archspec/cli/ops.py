"""Earlier name of 'archspec reference'; both work."""

from archspec.cli.reference import add_arguments, run

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES = ("archspec ops conv",)
