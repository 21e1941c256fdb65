"""Write docs/errors.md: what the codes of errors and warnings mean.

    python tools/error_reference.py [--check]

With --check nothing is written; the exit code says whether the page is current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generated import settled

from archspec.report.explanations import codes, explanation

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"
HEAD = """\
# Errors and warnings

Every message has a code: `net.yaml:5:21: error[T01]: …`. Errors end a command with exit code 1; warnings do so with
`archspec check --strict`. `archspec explain CODE` prints what stands here. This page is written by
`tools/error_reference.py` from `archspec/report/codes`.
"""
FAMILIES = {
    "Y": "YAML",
    "S": "Sections, steps and names of a spec",
    "N": "Names",
    "P": "Parameters and arguments",
    "T": "Types and ranges",
    "V": "Variants",
    "X": "Expressions",
    "H": "Shapes, heads and training steps",
    "B": "Bounds",
    "F": "Files",
    "E": "Expectations",
    "R": "Run files",
    "K": "Layers of Keras's own",
    "I": "Imports",
    "W": "Warnings",
    "L": "Findings of lint",
}


def page() -> str:
    """The page."""
    lines = [HEAD]
    for letter, title in FAMILIES.items():
        lines.append(f"\n## {title}\n")
        for code in codes():
            if code[0] == letter:
                found = explanation(code)
                lines += [f"### {code}: {found.title}\n", found.text, ""]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    sys.exit(settled({PAGE: page()}))
