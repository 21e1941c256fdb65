"""Write docs/names.md, and the tables of names in docs/keras.md and docs/pytorch.md: what others call what archspec
calls otherwise, from the table of aliases.

    python tools/alias_reference.py [--check]

With --check nothing is written; the exit code says whether the pages are current.
"""

from __future__ import annotations

import sys
from pathlib import Path

from counterparts import pages
from generated import settled

from archspec.ir.aliases import rows

PAGE = Path(__file__).parent.parent / "docs" / "names.md"
HEAD = """\
# Names elsewhere

What Keras, PyTorch, JAX and papers call things that archspec calls otherwise or does not have. Errors and `archspec
reference NAME` say the same. Case, `_` and `-` make no difference; a name that differs from ours in nothing else is not
listed. Every public name of Keras 3.15's layers, losses, metrics and optimizers (175 of `keras.layers`, 48 of
`keras.losses`, 72 of `keras.metrics`, 23 of `keras.optimizers`) and of PyTorch 2.13 (163 of `torch.nn`, 115 of
`torch.nn.functional`) is ours, or is answered here. This page is written by `tools/alias_reference.py`.
"""
PLURAL = {
    "op": "Ops and blocks",
    "merge": "Values of `merge`",
    "head key": "Keys of heads",
    "block key": "Keys of blocks",
    "activation": "Activations",
    "loss": "Losses",
    "metric": "Metrics",
    "optimizer": "Optimizers",
    "initializer": "Initializers",
    "regularizer": "Regularizers",
    "constraint": "Constraints",
    "schedule": "Schedules",
    "transform": "Transforms of data",
    "normalize value": "Values of `normalize`",
    "rescale value": "Values of `rescale`",
    "task": "Tasks",
    "data source": "Data sources",
    "parameter": "Parameters",
    "family parameter": "Parameters of used files",
    "run key": "Keys of run files",
    "train key": "Keys below `train`",
    "evaluate key": "Keys below `evaluate`",
    "log key": "Keys below `log`",
    "type": "Types of parameters",
}


def page() -> str:
    """The page."""
    lines = [HEAD]
    grouped: dict[str, dict[str, list[str]]] = {}
    for kind, entry in rows():
        ours = " or ".join(f"`{name}`" for name in entry.ours)
        cell = " · ".join(filter(None, (ours, entry.instead.replace("|", "\\|"))))
        grouped.setdefault(kind, {}).setdefault(cell, []).append(f"`{entry.name}`")
    for kind, cells in grouped.items():
        lines += [f"\n## {PLURAL[kind]}\n", "| elsewhere | in archspec |", "| --- | --- |"]
        lines += [f"| {', '.join(names)} | {cell} |" for cell, names in cells.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(settled({PAGE: page(), **pages()}))
