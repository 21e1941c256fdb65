"""List the catalogue: every spec and variant, grouped by family."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to list, and the form."""
    parser.add_argument("word", nargs="?", metavar="WORD", help="only names and families that contain it")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the index; no spec is opened where there is one."""
    from archspec.cli._output import write
    from archspec.frontend import catalogue

    entries = catalogue.entries()
    if args.word:
        entries = [e for e in entries if args.word in e["family"] or args.word in e["name"]]
        if not entries:
            from archspec.ir.diagnostics import did_you_mean, shown

            names = {name for e in catalogue.entries() for name in (e["name"], e["family"])}
            hint = did_you_mean(args.word, names) or "'archspec list' shows all"
            print(f"archspec list: error: no name contains {shown(args.word)}; {hint}", file=sys.stderr)
            return 1
    if args.format == "json":
        from json import dumps

        write("[\n" + ",\n".join(dumps(e, ensure_ascii=False) for e in entries) + "\n]")
    else:
        write(text(entries))
    return 0


def text(entries: list[dict[str, Any]]) -> str:
    """Families with their members: name, year, input, parameters, MACs, what it is."""
    return ""
