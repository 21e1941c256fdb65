"""Format specs and run files: indentation, spaces, quotes, braces; comments and line breaks are kept.

The meaning of a file does not change. Files are rewritten in place; - reads stdin and writes stdout. --check only lists
the files that would change, --diff shows the changes.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archspec.cli._files import STDIN, files_of, rewrite, typed

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = (
    "archspec fmt net.yaml",
    "archspec fmt --check specs/",
    "archspec fmt --diff net.yaml",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The files, and whether they are written."""
    help = "paths, folders or patterns of specs and run files, or - for stdin"
    parser.add_argument("files", nargs="+", metavar="FILE", help=help)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file would change")
    parser.add_argument("--diff", action="store_true", help="write nothing; print what would change")


def run(args: argparse.Namespace) -> int:
    """Format each file. A file that cannot be read stays as it is, what is wrong with it is said, the others go on."""
    names = [file for given in args.files for file in ([STDIN] if given == STDIN else files_of(given) or [given])]
    return max([_format(name, args) for name in names], default=0)


def _format(name: str, args: argparse.Namespace) -> int:
    """Format one file; its exit code."""
    from archspec.cli._output import failed, print_diagnostics, write
    from archspec.frontend.layout import formatted
    from archspec.frontend.reading import decoded, read_source
    from archspec.ir.diagnostics import SpecError

    try:
        source = decoded(typed(), "stdin") if name == STDIN else read_source(Path(name), name)
        text = formatted(source)
        is_changed = text != source.text
        if name == STDIN and not (args.diff or args.check):
            write(text.removesuffix("\n"))
        elif is_changed and args.diff:
            write("".join(_difference(name, source.text, text)).removesuffix("\n"))
        elif is_changed and args.check:
            write(f"{name}: would change")
        elif is_changed:
            rewrite(Path(name).resolve(), text)
            write(f"{name}: formatted")
    except SpecError as error:
        print_diagnostics(error.diagnostics)
        return 1
    except OSError as error:
        return failed(f"{name}: {error.strerror}", 1)
    return int(args.check and is_changed)


def _difference(name: str, before: str, after: str) -> Iterator[str]:
    from difflib import unified_diff

    return unified_diff(before.splitlines(True), after.splitlines(True), name, f"{name} (formatted)", n=1)
