"""Serve editors by the Language Server Protocol: mistakes while typing, completion, hover, renaming, formatting.

Editors start this command and communicate with it over stdin and stdout; docs/editors.md has the set-up for each. Texts
are analysed from the editor's memory, saved or not. It needs an extra: pip install 'archspec-keras[lsp]'.
"""

from __future__ import annotations

import argparse

EXAMPLES = ("archspec lsp",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing but what editors add to the command of every server."""
    parser.add_argument("--stdio", action="store_true", help="use stdin and stdout (the only transport)")


def run(args: argparse.Namespace) -> int:
    """Serve until the editor says that it is done."""
    import gc

    from archspec.cli._output import failed

    try:
        import pygls  # noqa: F401
    except ModuleNotFoundError:
        return failed("this needs pygls, which is not installed: pip install 'archspec-keras[lsp]'", 1)
    from archspec.cli._lsp.server import serve

    # A verb that reads text for a moment does without; this one stays.
    gc.enable()
    serve()
    return 0
