"""Files that a person names: a path, a folder with what is below it, or a pattern."""

from __future__ import annotations

import re
from pathlib import Path

STDIN = "-"


def files_of(given: str) -> list[str]:
    """What an argument stands for: specs and runs in a folder and below, those that a pattern matches, or itself."""
    path = Path(given)
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
        return [str(p) for p in below if _is_spec(p)]
    if any(c in given for c in "*?[") and not path.exists():
        from glob import glob

        return sorted(glob(given, recursive=True)) or [given]
    return [str(path) for path in _of_family(given)] or [given]


def _of_family(name: str) -> list[Path]:
    """The files of a family of the catalogue; none where nothing, or something else, has the name."""
    from archspec.frontend import catalogue
    from archspec.runs.request import run_file

    if not catalogue.family(name) or run_file(name) is not None or Path(name).exists():
        return []
    folder = catalogue.folder()
    return [folder / file["spec"] for file in catalogue.files() if file["spec"].partition("/")[0] == name]


def _is_spec(path: Path) -> bool:
    """Whether a file of a folder says that it is one, or a run."""
    from archspec.storage.regular import opened

    with opened(path) as file:
        return re.search(rb"^archspec(_run)?\s*:", file.read(1 << 16), re.MULTILINE) is not None
