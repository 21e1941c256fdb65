"""Files that a person names: a path, a folder with what is below it, or a pattern."""

from __future__ import annotations

import re
from pathlib import Path

STDIN = "-"


def files_of(given: str, *, runs: bool = True) -> list[str]:
    """What an argument stands for: specs and, unless not wanted, run files in a folder and below, what a pattern
    matches, or itself."""
    path = Path(given)
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
        return [str(p) for p in below if _is_ours(p, runs)]
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


def _is_ours(path: Path, runs: bool) -> bool:
    """Whether a file of a folder says that it is a spec, or a run file."""
    from archspec.storage.regular import opened

    with opened(path) as file:
        head = rb"^archspec(_run)?\s*:" if runs else rb"^archspec\s*:"
        return re.search(head, file.read(1 << 16), re.MULTILINE) is not None


def typed() -> bytes:
    """What came on stdin, and a byte more than is allowed where it is too long."""
    import sys

    from archspec.frontend.yaml_source import MAX_BYTES

    return sys.stdin.buffer.read(MAX_BYTES + 1)


def rewrite(path: Path, text: str) -> None:
    """Put a text in a file's place, with its permissions. Raises OSError."""
    from shutil import copymode

    from archspec.storage.atomic import write_atomically

    def write(beside: Path) -> None:
        beside.write_text(text, encoding="utf-8")
        copymode(path, beside)

    write_atomically(path, write)
