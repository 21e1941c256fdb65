"""Classes and splits out of the paths of files: ``train/cat/1.jpg`` or ``cat/1.jpg``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from archspec.data.images import SUFFIXES
from archspec.data.source import HELD_OUT, TRAIN, DataError, held_out_share
from archspec.ir.diagnostics import shown

T = TypeVar("T")
SPLITS = (TRAIN, *HELD_OUT)


def arranged(
    place: str,
    files: Iterable[str],
    folders: Iterable[str],
    holdout: float,
    seed: int,
    *,
    suffixes: tuple[str, ...] = SUFFIXES,
    noun: str = "images",
) -> tuple[tuple[str, ...], dict[str, list[tuple[str, int]]], tuple[str, ...]]:
    """Class names, path and class of every image (or what ``noun`` says) by split, and the files that are none.

    Paths are relative, with ``/``; ``folders`` are all there are, so that an empty class is seen. Hidden files are left
    out. Without folders for the splits a stratified share is held out as ``val``. Raises DataError.
    """
    parts = sorted(tuple(f.split("/")) for f in files if not _hidden(f))
    images = [p for p in parts if p[-1].lower().endswith(suffixes)]
    strays = tuple("/".join(p) for p in parts if not p[-1].lower().endswith(suffixes))
    below = {tuple(f.split("/")) for f in folders if f and not _hidden(f)}
    tops = {p[0] for p in below}
    named = [s for s in SPLITS if s in tops]
    if TRAIN not in named or len(named) == 1:
        named = []
    depth = 1 if named else 0
    classes = {
        split: sorted({p[depth] for p in below if len(p) > depth and p[:depth] == (split,) * depth})
        for split in named or [""]
    }
    names = classes[TRAIN if named else ""]
    if not names:
        raise DataError(
            f"{place} holds no class folders", help=f"one folder of {noun} for each class: cat/1{suffixes[0]}"
        )
    out: dict[str, list[tuple[str, int]]] = {}
    for split in classes:
        at = f"{place}/{split}" if split else place
        if unknown := sorted(set(classes[split]) - set(names)):
            raise DataError(f"{at}/{unknown[0]}: class {shown(unknown[0])} is not among those of {TRAIN}/")
        number = {name: i for i, name in enumerate(names)}
        out[split] = [
            ("/".join(p), number[p[depth]]) for p in images if len(p) > depth + 1 and p[:depth] == (split,) * depth
        ]
        if not out[split]:
            raise DataError(
                f"{at} holds no {noun} in its class folders", help=f"files that end in {', '.join(suffixes)}"
            )
    first = out[TRAIN if named else ""]
    present = {label for _, label in first}
    if empty := [name for i, name in enumerate(names) if i not in present]:
        raise DataError(
            f"{place}/{TRAIN + '/' if named else ''}{empty[0]} holds no {noun}: a class without examples",
            help=f"remove the folder, or put {noun} into it",
        )
    strays += tuple("/".join(p) for p in images if len(p) <= depth + 1)
    return tuple(names), out if named else divided(first, [label for _, label in first], holdout, seed), strays


def divided(items: Sequence[T], labels: Sequence[int], holdout: float, seed: int) -> dict[str, list[T]]:
    """``train`` and ``val``, a stratified share."""
    found = held_out_share(labels, holdout, seed)
    return {split: [items[p] for p in positions] for split, positions in found.items()}


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.split("/"))
