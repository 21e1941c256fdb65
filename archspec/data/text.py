"""Text out of files, and the numbers of its tokens as arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from archspec.data.errors import DataError
from archspec.data.source import from_arrays
from archspec.ir.diagnostics import shown
from archspec.ir.validation import refuse
from archspec.storage.regular import opened

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf


def _encoding(value: Any) -> str:
    try:
        b"".decode(value)
        "".encode(value)
    except (LookupError, TypeError, ValueError):
        raise refuse("must be an encoding of text that Python knows", help="utf-8, cp1252, latin-1, …") from None
    return str(value)


MAX_TOKENS = 2**30
"""Largest number of tokens that are held at once, padding included (4 GB)."""

Encoding = Annotated[str, BeforeValidator(_encoding), WithJsonSchema({"type": "string"})]
"""A name of an encoding: ``utf-8``, ``cp1252``."""


def read_text(path: Path, encoding: str, *, streams: bool = False) -> str:
    """A file's text, its ends of lines as ``\\n``, without a byte order mark; with ``streams`` also what a pipe or
    terminal gives. Raises DataError, with the place."""
    try:
        with opened(path, streams=streams) as file:
            data = file.read()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    try:
        text = data.decode(encoding)
    except UnicodeError as error:
        start = getattr(error, "start", 0)
        line = data.count(b"\n", 0, start) + 1
        raise DataError(
            f"{path}, line {line}: not {encoding} (byte {start})", help="encoding: cp1252, or whatever it is"
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n")


def labelled_lines(path: Path, encoding: str) -> list[tuple[str, str, str]]:
    """Label, sentence and place of every line ``label sentence`` that is not empty. Raises DataError."""
    out = []
    for number, line in enumerate(read_text(path, encoding).split("\n"), 1):
        if not line.strip():
            continue
        label, *rest = line.split(maxsplit=1)
        if not rest:
            raise DataError(f"{path}, line {number}: a label and a sentence are needed, got {shown(line.strip())}")
        out.append((label, rest[0].strip(), f"{path}, line {number}"))
    if not out:
        raise DataError(f"{path} has no lines")
    return out


def class_names(labels: Iterable[str]) -> tuple[str, ...]:
    """Names of the classes in the order of their numbers: labels that are all whole numbers by size, others by name."""
    found = set(labels)
    if all(label.isascii() and label.isdigit() for label in found):
        return tuple(sorted(found, key=lambda label: (len(label.lstrip("0")), label.lstrip("0"), label)))
    return tuple(sorted(found))


def padded(rows: Sequence[Sequence[int]], length: int | None = None, fill: int = 0) -> np.ndarray:
    """The rows as int32 of shape (rows, length), cut at the end or filled up; to the longest of them where no length is
    given, at least one. Raises DataError where that is more than fits into memory."""
    import numpy as np

    wide = max([1, *map(len, rows)]) if length is None else length
    if len(rows) * wide > MAX_TOKENS:
        raise DataError(f"{len(rows):,} texts of up to {wide:,} tokens are too many to hold", help="length: 512")
    out = np.full((len(rows), wide), fill, np.int32)
    for line, row in zip(out, rows, strict=True):
        line[: min(len(row), wide)] = row[:wide]
    return out


def in_padded_batches(
    arrays: Mapping[str, Any], lengths: Mapping[str, Any], order: tf.data.Dataset | None
) -> tf.data.Dataset:
    """``DataSource.open`` for arrays of which some parts vary in length; ``lengths`` are the steps of every example, by
    part. Batches of positions are as long there as their longest text, and at least one step."""
    import tensorflow as tf

    if not lengths or order is None or not order.element_spec["index"].shape.rank:
        return from_arrays(arrays, order)
    added = {part: f"length of {part}" for part in lengths}

    def cut(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        steps = {part: tf.maximum(tf.reduce_max(batch.pop(name)), 1) for part, name in added.items()}
        return {**batch, **{part: batch[part][:, :most] for part, most in steps.items()}}

    return from_arrays({**arrays, **{name: lengths[part] for part, name in added.items()}}, order).map(cut)


def text_files(root: Path) -> tuple[list[str], list[str]]:
    """All files and folders below a folder, relative, with ``/``. Raises DataError."""
    found, folders = [], []

    def fail(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}")

    for at, below, names in os.walk(root, onerror=fail):
        inside = Path(at).relative_to(root).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        folders += [prefix + name for name in below]
        found += [prefix + name for name in names]
    return found, folders
