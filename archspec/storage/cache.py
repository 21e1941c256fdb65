"""What is computed once and kept: statistics, decoded images, which files are broken.

Everything lies under one folder by the fingerprint of what it was computed from, so that other data, or the same data
changed, never meet an old result. The folder may be deleted at any time.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from archspec.storage.atomic import write_text
from archspec.storage.fingerprint import fingerprint


def folder() -> Path:
    """``ARCHSPEC_CACHE``, else ``archspec`` in the user's folder for caches."""
    if given := os.environ.get("ARCHSPEC_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archspec"


def cache_path(kind: str, suffix: str, *of: str) -> Path:
    """Where a result of this kind lies; ``of`` is what it follows from."""
    return folder() / kind / (fingerprint(*of)[:32] + suffix)


def load_or_compute(path: Path, compute: Callable[[], Any]) -> Any:
    """The JSON value at ``path``, computed and written if it is not there. Where nothing can be written, computed."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        value = compute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(value))
    except OSError:
        pass
    return value
