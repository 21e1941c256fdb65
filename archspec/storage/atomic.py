"""Files that are written whole or not at all: a crash leaves the previous one or the new one, never half of one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Where to write a file or folder that is put in the place of ``path`` when all went well, and else removed.

    Raises OSError, which names ``path``, also for a folder in whose place something is.
    """
    # The whole name comes last: Keras and NumPy go by suffixes, ``.weights.h5`` among them.
    beside = path.parent / f".{os.getpid()}-{path.name}"
    _remove(beside)
    try:
        yield beside
        sync(beside)
        os.replace(beside, path)
    except OSError as error:
        if error.filename is not None and os.fspath(error.filename) == str(beside):
            error.filename = str(path)
        raise
    finally:
        _remove(beside)
    sync(path.parent)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` make a file beside ``path``, bring it to the disk, then put it in its place. Raises OSError."""
    with staged(path) as beside:
        write(beside)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, or leave the old one. Raises OSError."""
    write_atomically(path, lambda beside: beside.write_bytes(data))


def write_text(path: Path, text: str) -> None:
    """Write a file in UTF-8, or leave the old one. Raises OSError."""
    write_atomically(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Write a file of JSON, or leave the old one. Raises OSError."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def reserve(path: Path) -> None:
    """Have the disk hold room for all of a file that is written bit by bit. Raises OSError, where a full disk would end
    the process: what is written to a mapped file has no other way to fail."""
    with path.open("r+b") as file:
        if (size := os.fstat(file.fileno()).st_size) and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to the disk. Raises OSError."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle on a folder.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
