"""The tables of names in docs/keras.md and docs/pytorch.md, out of lists of those libraries' names and the table of
aliases: what stands between ``<!-- names: LIBRARY -->`` and ``<!-- end -->``. ``alias_reference.py`` writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from archspec.frontend import prelude
from archspec.ir.aliases import alias
from archspec.ops.base import Op
from archspec.ops.initializer import Initializer
from archspec.ops.loss import Loss
from archspec.ops.metric import Metric
from archspec.training.optimizers import Optimizer
from archspec.training.schedules import Schedule

ROOT = Path(__file__).parent.parent
LISTS = ROOT / "tests" / "frontend"
OPS = (*Op.names(), *prelude()["blocks"])
SECTIONS = {
    "layers": ("Layers", (("op", OPS),)),
    "losses": ("Losses", (("loss", Loss.names()),)),
    "metrics": ("Metrics", (("metric", Metric.names()),)),
    "optimizers": ("Optimizers", (("optimizer", Optimizer.names()),)),
    "optimizers.schedules": ("Schedules", (("schedule", Schedule.names()),)),
    "initializers": ("Initializers", (("initializer", Initializer.names()),)),
    "nn": ("`torch.nn`", (("op", OPS), ("loss", Loss.names()))),
}
"""Modules of the other libraries: a title, and the kinds of ours that their names may be, with our names."""
LIBRARIES = {"keras": ("keras_names.txt", ""), "pytorch": ("torch_nn.txt", "nn.")}
"""Lists of names, and what stands before each."""
TITLES = {"keras": "Keras", "pytorch": "PyTorch"}
OURS = re.compile(r"did you mean '(\w+)'\?")
AUGMENTATION = "augmentation belongs in a run file: augment: "


def pages() -> dict[Path, str]:
    """The pages with their tables."""
    return {path: _page(path) for path in (ROOT / "docs" / f"{library}.md" for library in LIBRARIES)}


def tables(library: str) -> str:
    """The tables of a library, one for each of its modules."""
    file, before = LIBRARIES[library]
    names = (before + n for n in (LISTS / file).read_text("utf-8").splitlines()[1:] if n)
    grouped: dict[str, dict[str, list[str]]] = {}
    for module, name, answer in _answered(names):
        grouped.setdefault(module, {}).setdefault(answer, []).append(f"`{name}`")
    lines = []
    for module, answers in grouped.items():
        lines += [f"### {SECTIONS[module][0]}\n", f"| {TITLES[library]} | archspec |", "|---|---|"]
        lines += [f"| {', '.join(theirs)} | {answer} |" for answer, theirs in answers.items()]
        lines.append("")
    return "\n".join(lines)


def _answered(names: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """Module, name, and what to write in its place."""
    for full in names:
        module, _, name = full.rpartition(".")
        for kind, known in SECTIONS[module][1] if module in SECTIONS else ():
            if said := alias(kind, name, known):
                ours = OURS.match(said)
                yield module, name, f"`{ours[1]}`" if ours else _cell(said)
                break


def _cell(said: str) -> str:
    if said.startswith(AUGMENTATION):
        return f"`augment: {said.removeprefix(AUGMENTATION)}` in a run file"
    return said.replace("|", "\\|")


def _page(path: Path) -> str:
    library = path.stem
    text = path.read_text(encoding="utf-8")
    start, end = f"<!-- names: {library} -->\n", "<!-- end -->"
    head, _, rest = text.partition(start)
    return f"{head}{start}\n{tables(library)}\n{end}{rest.partition(end)[2]}"
