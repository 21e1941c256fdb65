"""The catalogue: which names there are, and the file and variant that each stands for.

The answers come from ``index.json`` beside the specs, which ``tools/catalogue.py`` writes; no spec is opened for them.
A folder without an index is scanned for names and variants. The index is a list of files::

    {"spec": "vgg/vgg.yaml", "name": "vgg", "title": …, "year": …, "authors": …, "members": [
        {"variant": "vgg11", "input": "224x224x3", "output": "1000", "params": …, "trainable_params": …, "macs": …}, …]}

A member without a variant is the file with its defaults; a file whose parameters have none is no member itself, but
its name is known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

INDEX = "index.json"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


class CatalogueEntry(NamedTuple):
    """What a name stands for: a spec file, and one of its variants or None."""

    path: Path
    variant: str | None


def folder() -> Path:
    """Where the specs are: in the installed package, else beside it in the repository."""
    package = Path(__file__).parent.parent
    shipped = package / "specs"
    return shipped if shipped.is_dir() else package.parent / "specs"


def find(name: str) -> CatalogueEntry | None:
    """The spec file and variant that ``name`` stands for; None if the catalogue has no such name, or it is a path."""
    return _entries().get(name) if _NAME.match(name) else None


def owner(variant: str) -> str | None:
    """Which spec has a variant of this name, as help where another was asked for it; None if none has."""
    entry = find(variant)
    if entry is None or entry.variant is None:
        return None
    name = next(file["name"] for file in files() if folder() / file["spec"] == entry.path)
    return f"'{variant}' is a variant of {name}"


def names() -> list[str]:
    """Every name of the catalogue: files and variants."""
    return list(_entries())


def family(name: str) -> list[str]:
    """The members that a folder of the catalogue holds, by its name; none where no folder, or a spec, is called so."""
    return [] if find(name) else [entry["name"] for entry in entries() if entry["family"] == name]


def entries() -> list[dict[str, Any]]:
    """Every member with its paper and counts, in the order of families and files; counts are None in a folder that has
    no index."""
    out = []
    for file in files():
        paper = {key: file.get(key) for key in ("title", "year", "authors")}
        for member in file["members"]:
            counts = {key: member.get(key) for key in ("input", "output", "params", "trainable_params", "macs")}
            variant = member["variant"]
            named = {"family": file["spec"].partition("/")[0], "name": variant or file["name"], "spec": file["name"]}
            out.append(named | {"variant": variant} | paper | counts)
    return out


def files() -> list[dict[str, Any]]:
    """The index, or what a scan of the folder finds."""
    return _files(folder())


def scan(root: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every readable spec file of a folder of families, with its values."""
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read
    from archspec.ir.diagnostics import SpecError

    for path in sorted(root.glob("*/*.yaml")):
        try:
            document = read(read_source(path, str(path)))
        except (SpecError, OSError):
            continue  # whoever names the file is told what is wrong with it
        if isinstance(document, dict) and isinstance(document.get("name"), str) and "archspec" in document:
            yield path, document


@cache
def _files(root: Path) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads((root / INDEX).read_bytes())
        return found
    except FileNotFoundError:
        return [_scanned(path, document) for path, document in scan(root)]


def _scanned(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    variants = document.get("variants")
    paper = document.get("doc")
    return {
        "spec": f"{path.parent.name}/{path.name}",
        "name": document["name"],
        **(paper if isinstance(paper, dict) else {}),
        "members": [{"variant": v} for v in (variants if isinstance(variants, dict) else [])] or [{"variant": None}],
    }


@cache
def _entries() -> dict[str, CatalogueEntry]:
    root = folder()
    out: dict[str, CatalogueEntry] = {}
    for file in files():
        path = root / file["spec"]
        out.setdefault(file["name"], CatalogueEntry(path, None))
        for member in file["members"]:
            if member["variant"]:
                out[member["variant"]] = CatalogueEntry(path, member["variant"])
    return out
