"""What is computed of data once and kept: statistics, decoded images, which files are broken.

Everything lies under one folder by the fingerprint of what it was computed from, so that other data, or the same data
changed, never meet an old result. The folder may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from archspec.backend.export import write_atomically


def folder() -> Path:
    """``ARCHSPEC_CACHE``, else ``archspec`` in the user's folder for caches."""
    if given := os.environ.get("ARCHSPEC_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archspec"


def place(kind: str, suffix: str, *of: str) -> Path:
    """Where a result of this kind lies; ``of`` is what it follows from."""
    name = sha256("\0".join(of).encode(errors="surrogateescape")).hexdigest()[:32]
    return folder() / kind / (name + suffix)


def kept(path: Path, compute: Callable[[], Any]) -> Any:
    """The JSON value at ``path``, computed and written if it is not there. Where nothing can be written, computed."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda beside: _write(beside, value))
    except OSError:
        pass
    return value


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
