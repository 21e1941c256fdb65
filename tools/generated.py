"""Files that a tool writes out of the code: written, or, with ``--check``, compared with what would be written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from archspec.storage.atomic import write_atomically


def settled(texts: Mapping[Path, str]) -> int:
    """Write each text to its file, or say which files are stale, as the command line asks; the exit code."""
    if "--check" not in sys.argv[1:]:
        for path, text in texts.items():
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, lambda beside, text=text: beside.write_text(text, encoding="utf-8"))
        return 0
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{path} is stale: run python {sys.argv[0]}", file=sys.stderr)
    return int(bool(stale))
