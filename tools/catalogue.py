"""Write specs/index.json, the catalogue: every spec and variant with its paper and counts, by loading each of them.

python tools/catalogue.py          write it
python tools/catalogue.py --check  fail if it is stale
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from generated import settled

import archspec
from archspec.frontend.catalogue import INDEX, scan
from archspec.ir.tensors import TensorSpec
from archspec.report.format import dimensions

SPECS = Path(__file__).parent.parent / "specs"
TARGET = SPECS / INDEX
PAPER = ("title", "year", "authors")


def index() -> str:
    """The whole text: a file a line, its members below it, so that a change shows as a line."""
    names: dict[str, str] = {}
    files = []
    for path, document in scan(SPECS):
        spec = f"{path.parent.name}/{path.name}"
        members = [member(path, name, variant) for name, variant in members_of(document)]
        for name in {document["name"], *(m["variant"] for m in members if m["variant"])}:
            if name in names:
                raise SystemExit(f"{spec}: the name {name} is taken by {names[name]}")
            names[name] = spec
        paper = document.get("doc")
        head = {"spec": spec, "name": document["name"]} | {k: paper[k] for k in PAPER if isinstance(paper, Mapping)}
        lines = ",\n".join(f"  {_line(m)}" for m in members)
        files.append(f'{_line(head)[:-1]}, "members": [\n{lines}]}}')
    return "[\n" + ",\n".join(files) + "\n]\n"


def members_of(document: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Name and variant of every member: the variants, and the file's own defaults where it has no variants, or expects
    something of them."""
    variants = document.get("variants") or {}
    own = document["name"]
    defaults = [(own, None)] if not variants or (own in document.get("expect", {}) and own not in variants) else []
    return [*defaults, *((v, v) for v in variants)]


def member(path: Path, name: str, variant: str | None) -> dict[str, Any]:
    """One member as the index has it."""
    graph = archspec.load(path, variant=variant)
    totals = archspec.table(graph).totals
    inputs, outputs = graph.inputs.values(), [graph.spec(output.tensor) for output in graph.inference().outputs]
    shapes = {"input": _shapes(inputs), "output": _shapes(outputs)}
    counts = {"params": totals.params, "trainable_params": totals.trainable_params, "macs": totals.macs}
    return {"variant": variant} | shapes | counts


def _shapes(specs: Iterable[TensorSpec]) -> str:
    """``224x224x3``; each shape of several once."""
    return ", ".join(dict.fromkeys(dimensions(spec.shape, "x") for spec in specs))


def _line(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(settled({TARGET: index()}))
