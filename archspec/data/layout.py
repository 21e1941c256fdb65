"""Classes and splits out of the paths of files: ``train/cat/1.jpg`` or ``cat/1.jpg``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import NamedTuple, TypeVar

from archspec.data.errors import DataError
from archspec.data.example import HELD_OUT
from archspec.data.images import SUFFIXES
from archspec.data.source import TRAIN, held_out_share
from archspec.ir.diagnostics import did_you_mean, shown

T = TypeVar("T")
SPLITS = (TRAIN, *HELD_OUT)
WORDS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
"""What people call the splits, alone or as sets: ``training_set``, ``Test set``."""


def split_of(word: str) -> str | None:
    """The split that a word means, in any case."""
    said = word.strip().lower()
    return WORDS.get(said) or WORDS.get(said.removesuffix("set").rstrip(" _-"))


def split_said(word: str, at: str) -> str:
    """The split that a cell of a table says. Raises DataError, with the place."""
    split = split_of(word)
    if split is None:
        raise DataError(
            f"{at}: split must be train, val or test, got {shown(word.strip())}", help=did_you_mean(word, WORDS)
        )
    return split


class Arranged(NamedTuple):
    """Class names; path and class of every image by split; files that are no examples. ``is_divided`` where a share
    was held out, so that the splits are not the data's own."""

    names: tuple[str, ...]
    splits: dict[str, list[tuple[str, int]]]
    strays: tuple[str, ...]
    is_divided: bool


def scan_class_folders(
    place: str,
    files: Iterable[str],
    folders: Iterable[str],
    holdout: float,
    seed: int,
    *,
    suffixes: tuple[str, ...] = SUFFIXES,
    noun: str = "images",
) -> Arranged:
    """Classes and splits of a folder of images (or of what ``noun`` says).

    Paths are relative, with ``/``; ``folders`` are all there are, so that an empty class is seen. Hidden files are left
    out. Without folders for the splits, or with one to train on alone, a stratified share is held out as ``val``.
    Raises DataError.
    """
    parts = sorted(tuple(f.split("/")) for f in files if not _hidden(f))
    images = [p for p in parts if p[-1].lower().endswith(suffixes)]
    strays = tuple("/".join(p) for p in parts if not p[-1].lower().endswith(suffixes))
    below = {tuple(f.split("/")) for f in folders if f and not _hidden(f)}
    below |= {p[:n] for p in parts for n in range(1, len(p))}
    holding = {p[:-1] for p in images}
    above = {p[:n] for p in holding for n in range(1, len(p))}
    roots = _roots(place, below, noun)
    depth = 1 if roots else 0
    classes = {
        split: sorted({p[depth] for p in below if len(p) > depth and p[:depth] == root})
        for split, root in (roots or {"": ()}).items()
    }
    names = classes[TRAIN if roots else ""]
    if not names:
        raise DataError(
            f"{place} holds no class folders", help=f"one folder of {noun} for each class: cat/1{suffixes[0]}"
        )
    number = {name: i for i, name in enumerate(names)}
    out: dict[str, list[tuple[str, int]]] = {}
    for split in classes:
        root = roots.get(split, ())
        at = "/".join((place, *root))
        if unknown := sorted(set(classes[split]) - set(names)):
            raise DataError(f"{at}/{unknown[0]}: class {shown(unknown[0])} is not among those of {roots[TRAIN][0]}/")
        out[split] = [("/".join(p), number[p[depth]]) for p in images if len(p) > depth + 1 and p[:depth] == root]
        if not out[split]:
            raise DataError(
                f"{at} holds no {noun} in its class folders", help=f"files that end in {', '.join(suffixes)}"
            )
        # A folder whose images lie in folders of its own may hold classes, or a split.
        if odd := [name for name in classes[split] if (*root, name) in above - holding]:
            raise DataError(
                f"{at}/{odd[0]} holds folders and no {noun}: it is no class",
                help=f"a class folder holds {noun}; folders for the splits are called {', '.join(WORDS)}",
            )
    first = out[TRAIN if roots else ""]
    present = {label for _, label in first}
    if empty := [name for i, name in enumerate(names) if i not in present]:
        at = "/".join((place, *roots.get(TRAIN, ()), empty[0]))
        raise DataError(
            f"{at} holds no {noun}: a class without examples", help=f"remove the folder, or put {noun} into it"
        )
    used = {name for members in out.values() for name, _ in members}
    strays += tuple(name for p in images if (name := "/".join(p)) not in used)
    if len(roots) > 1:
        return Arranged(tuple(names), out, strays, False)
    return Arranged(tuple(names), stratified_split(first, [label for _, label in first], holdout, seed), strays, True)


def _roots(place: str, below: Set[tuple[str, ...]], noun: str) -> dict[str, tuple[str, ...]]:
    """The folder of each split; none where the folders at the top are classes. Raises DataError.

    A folder that is called as a split is one where it holds folders: there are classes called ``train``, too.
    """
    tops = sorted(p[0] for p in below if len(p) == 1)
    with_folders = {p[0] for p in below if len(p) > 1}
    called = [top for top in tops if split_of(top)]
    found: dict[str, tuple[str, ...]] = {}
    for top in called:
        split = split_of(top)
        assert split is not None
        if top not in with_folders:
            continue
        if split in found:
            raise DataError(
                f"{place}: {found[split][0]}/ and {top}/ are both the split {split}", help="put them into one folder"
            )
        found[split] = (top,)
    if not found:
        if called and len(called) == len(tops) and len(tops) > 1:
            raise DataError(
                f"{place}: {', '.join(f'{top}/' for top in called)} hold {noun} and no class folders",
                help=f"one folder of {noun} for each class in each of them: {called[0]}/cat/…",
            )
        return {}
    if TRAIN not in found:
        held = ", ".join(f"{root[0]}/" for root in found.values())
        raise DataError(f"{place} has {held} and no folder {TRAIN}/ beside it", help=f"name {place}/{TRAIN}")
    inside = {p for p in below if len(p) == 2}
    classes = {name for top, name in inside if top == found[TRAIN][0]}
    if others := sorted({top for top, name in inside if (top,) not in found.values() and name in classes}):
        raise DataError(
            f"{place}: {others[0]}/ holds classes as {found[TRAIN][0]}/ does, and is called as no split",
            help=f"splits are called {', '.join(WORDS)}",
        )
    return {split: found[split] for split in SPLITS if split in found}


def stratified_split(items: Sequence[T], labels: Sequence[int], holdout: float, seed: int) -> dict[str, list[T]]:
    """``train`` and ``val``, a stratified share."""
    found = held_out_share(labels, holdout, seed)
    return {split: [items[p] for p in positions] for split, positions in found.items()}


def files_below(root: Path) -> list[str]:
    """All files in a folder by their names from there, with ``/``, sorted; hidden ones left out. Raises DataError."""

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}")

    found = []
    for folder, inside, names in os.walk(root, onerror=refuse):
        inside[:] = [name for name in inside if not _hidden(name)]
        below = Path(folder).relative_to(root)
        found += [(below / name).as_posix() for name in names if not name.startswith(".")]
    return sorted(found)


def _hidden(path: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in path.split("/"))
