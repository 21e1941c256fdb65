"""What tells texts and files apart without comparing them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from hashlib import file_digest, sha256
from pathlib import Path


def fingerprint(*of: str) -> str:
    """SHA-256 of some texts in order, in hexadecimal digits."""
    return sha256("\0".join(of).encode(errors="surrogateescape")).hexdigest()


def stat_fingerprint(said: str, files: Iterable[str | os.PathLike[str]]) -> str:
    """That of a text, and of the names, sizes and times of files, which are not read. Raises OSError."""
    digest = sha256(said.encode())
    for file in files:
        found = os.stat(file)
        digest.update(f"\0{os.fspath(file)}\0{found.st_size}\0{found.st_mtime_ns}".encode(errors="surrogateescape"))
    return digest.hexdigest()


def content_fingerprint(path: Path) -> str:
    """That of a file's bytes. Raises OSError."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
