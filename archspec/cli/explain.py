"""Explain the code of an error or a warning, with an example of the mistake and its fix.

The code is in brackets in a message: error[H01], warning[W05].
"""

from __future__ import annotations

import argparse
import sys

EXAMPLES = (
    "archspec explain H01",
    "archspec explain W05",
    "archspec explain",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The code."""
    parser.add_argument("code", nargs="?", metavar="CODE", help="a code, such as H01; without it, all are listed")


def run(args: argparse.Namespace) -> int:
    """Print the page of one code, or the titles of all."""
    from archspec.cli._output import write
    from archspec.ir.diagnostics import did_you_mean
    from archspec.report.explanations import codes, explanation

    known = codes()
    if args.code is None:
        write("\n".join(f"{code}  {explanation(code).title}" for code in known))
        return 0
    code = args.code.strip("[]").upper().removeprefix("ERROR[").removeprefix("WARNING[")
    if code not in known:
        hint = did_you_mean(code, known) or "'archspec explain' lists all"
        print(f"archspec explain: there is no code {args.code!r}\n  help: {hint}", file=sys.stderr)
        return 2
    found = explanation(code)
    write(f"{code}: {found.title}\n\n{_wrapped(found.text)}")
    return 0


def _wrapped(text: str) -> str:
    """Paragraphs at 80 columns; examples, which are indented and not fenced here, as they are."""
    from textwrap import fill, indent

    out = []
    for position, part in enumerate(text.split("```")):
        if position % 2:
            out.append(indent(part.partition("\n")[2].rstrip("\n"), "    "))
        else:
            out += [fill(paragraph, 80) for paragraph in part.strip().split("\n\n") if paragraph]
    return "\n\n".join(out)
