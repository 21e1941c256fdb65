"""Where examples come from.

An example is a dict of tensors by name (``image``, ``label``). What it holds is known from headers alone, as an
Example; the examples themselves are read by position, so that order, resume and sharding are arithmetic on
positions and no source has to know of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, get_args

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema

from archspec.data.errors import DataError
from archspec.data.example import LABEL, Example
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.validation import refuse
from archspec.storage.regular import is_endless

if TYPE_CHECKING:
    import tensorflow as tf

ENCODED = "encoded"
"""What stands in an example in the image's place while it is still a file's bytes."""
TRAIN = "train"
IGNORED = -1
"""The label of a step that has none, where every step of an example has one: it does not count."""
Pairs = Callable[[Any], tuple[Any, Any]]
"""Inputs and targets of a model out of a batch, by name."""


class Lengths(NamedTuple):
    """Examples that differ in length: the steps of each, an array, and how many batches are drawn together and divided
    by them where a run does not say."""

    steps: Any
    batches: int


class DataSource(Declaration, package="archspec.data.sources"):
    """Examples by split and position. Order of rules: fields, ``features``, and ``arrays`` where ``in_memory``, else
    ``open``."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """Endings of a path that mean this source where only a path is given; ``/`` is a folder."""
    in_memory: ClassVar[bool] = False
    """True where ``arrays`` gives all examples at once; ``open`` then takes orders of whole batches too."""
    is_encoded: ClassVar[bool] = False
    """True where ``encoded`` gives images as their files' bytes, of which a part alone can be decoded."""

    @property
    def made_of(self) -> Mapping[str, DataSource]:
        """Other data whose examples this puts together, by what they are here; none where the examples are its own."""
        return {}

    @classmethod
    def is_layout(cls, folder: Path) -> bool:
        """Whether a folder has what this source needs and no other has: it is meant where only a path is given."""
        return False

    def features(self) -> Example:
        """What an example is, from headers and names alone. Raises DataError."""
        raise NotImplementedError

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        """The examples of a split, as dicts of tensors, in the given order.

        ``order`` holds dicts with a scalar int64 ``index`` below the split's size; each example is the dict with its
        parts added, so whatever else ``order`` carries travels along. Without it every example comes once, by position.
        """
        return from_arrays(self.arrays(split), order)

    def arrays(self, split: str) -> dict[str, Any]:
        """All examples of a split as NumPy arrays, where ``in_memory``. Needs no TensorFlow."""
        raise NotImplementedError

    def class_labels(self, split: str) -> Any:
        """The label of every example of a split, a NumPy array, where ``in_memory``; None where they have none."""
        return self.arrays(split).get(LABEL)

    def encoded(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        """As ``open``, with the bytes of each image under ``encoded``, where ``is_encoded``."""
        raise NotImplementedError

    def lengths(self, split: str) -> Lengths | None:
        """The lengths of a split's examples, where they differ. Raises DataError."""
        return None

    def usable(self, split: str) -> Any:
        """Positions of the examples that can be read, where some cannot; None for all. Raises DataError."""
        return None

    def fingerprint(self) -> str:
        """A text that changes when the examples do: what is computed of them is kept under it."""
        from archspec.data.arguments import written

        return repr(written(self))

    def with_vocabularies(self, files: Mapping[str, Path]) -> DataSource:
        """The same with vocabularies out of files, by part, in place of those that it would fit."""
        return self

    def with_columns(self, columns: Mapping[str, Sequence[str]]) -> DataSource:
        """The same with vectors of these columns of a table, by part, in this order."""
        return self

    def describe(self, split: str, position: int) -> str:
        """What a person calls an example: its file, where it has one."""
        return f"example {position} of {split}"


def in_order(count: int) -> tf.data.Dataset:
    """Every position once."""
    import tensorflow as tf

    return tf.data.Dataset.range(count).map(lambda i: {"index": i})


def from_arrays(parts: Mapping[str, Any], order: tf.data.Dataset | None) -> tf.data.Dataset:
    """``DataSource.open`` for the arrays of a split; ``index`` may be a batch of positions."""
    import tensorflow as tf

    # Captured as tensors, the arrays never become constants of a graph (which is limited to 2 GB).
    with tf.device("CPU"):
        tensors = {name: tf.convert_to_tensor(array) for name, array in parts.items()}

    def read(at: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {**at, **{name: tf.gather(tensor, at["index"]) for name, tensor in tensors.items()}}

    count = len(next(iter(parts.values())))
    return (in_order(count) if order is None else order).map(read)


def stratified_order(labels: Sequence[int], seed: int) -> list[int]:
    """Every position once, class after class, shuffled within each: what is dealt out evenly is stratified.

    Depends on nothing but the labels and the seed: Python guarantees ``Random.random`` for all versions.
    """
    by_class: dict[int, list[int]] = {}
    for position, label in enumerate(labels):
        by_class.setdefault(label, []).append(position)
    out = []
    for label in sorted(by_class):
        random = Random(f"{seed}/{label}")
        out += [position for _, position in sorted((random.random(), position) for position in by_class[label])]
    return out


def k_fold(labels: Sequence[int], fold: int, folds: int, seed: int) -> dict[str, list[int]]:
    """Positions by split, ``test`` being one of ``folds`` stratified parts of equal size (± 1)."""
    cards = stratified_order(labels, seed)
    test = set(cards[fold::folds])
    return {TRAIN: [p for p in range(len(cards)) if p not in test], "test": sorted(test)}


def held_out_share(labels: Sequence[int], share: float, seed: int) -> dict[str, list[int]]:
    """Positions by split, ``val`` being a stratified ``share`` of all, rounded down, at least one of either; where the
    share is 0 there is no ``val``."""
    if share == 0:
        return {TRAIN: list(range(len(labels)))}
    cards = stratified_order(labels, seed)
    if len(cards) < 2:
        raise DataError(f"{len(cards)} examples cannot be split in two")
    count = min(max(1, int(len(cards) * share)), len(cards) - 1)
    taken = {cards[(2 * k + 1) * len(cards) // (2 * count)] for k in range(count)}
    return {TRAIN: [p for p in range(len(cards)) if p not in taken], "val": sorted(taken)}


def _located(value: object, info: ValidationInfo) -> Path:
    """An existing path: as given, from the folder of the run file, or below ``ARCHSPEC_DATA``."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise refuse("must be a path")
    roots: list[Path] = [(info.context or {}).get("folder", Path())]
    if shared := os.environ.get("ARCHSPEC_DATA"):
        roots.append(Path(shared))
    for root in roots:
        if os.path.exists(path := root / Path(value).expanduser()):
            if is_endless(path):
                hint = "what a pipe or device gives is saved to a file first"
                raise refuse("must be a file or folder, not a pipe or device", hint)
            return path
    hint = f"a path starts at the folder of the run file, or at that of ARCHSPEC_DATA ({shared or 'not set'})"
    raise refuse(f"must be an existing file or folder, got {shown(value)}", hint)


DataPath = Annotated[Path, BeforeValidator(_located), WithJsonSchema({"type": "string"})]
"""An existing file or folder: absolute, relative to the run file (or to the working folder, on the command line), or
relative to the folder that the environment variable ARCHSPEC_DATA names."""


Holdout = Annotated[float, Field(ge=0, lt=1)]
"""Share of the examples that are held out, where data have no splits."""
Seed = Annotated[int, Field(ge=0)]
"""Seed of such a division."""


def known_data_set(name: str) -> tuple[str, str, str] | None:
    """The source that knows a data set by this name, in whatever case and signs, its argument and its word for it."""

    def letters(word: str) -> str:
        return "".join(c for c in word.lower() if c.isalnum())

    for kind in DataSource.all():
        for one in get_args(kind.model_fields[kind.main].annotation) if kind.main else ():
            if isinstance(one, str) and letters(one) == letters(name):
                return kind.name, kind.main or "", one
    return None


def source_for(text: str) -> tuple[str, dict[str, Any]]:
    """Name and arguments of the source that a word or path means, as ``--data`` takes it. Raises DataError."""
    if DataSource.find(text):
        return text, {}
    path = Path(text).expanduser()
    laid_out = [source for source in DataSource.all() if path.is_dir() and source.is_layout(path)]
    if len(laid_out) == 1 and laid_out[0].main:
        return laid_out[0].name, {laid_out[0].main: text}
    for source in DataSource.all():
        if source.main and any(text.lower().endswith(s) or (s == "/" and path.is_dir()) for s in source.suffixes):
            return source.name, {source.main: text}
    suffixes = sorted(s for source in DataSource.all() for s in source.suffixes if s != "/")
    if path.is_file():
        raise DataError(
            f"{shown(text)} is not a data file", help=f"a folder of class folders, or a file {', '.join(suffixes)}"
        )
    if (found := known_data_set(text)) is not None:
        return found[0], {found[1]: found[2]}
    hint = did_you_mean(text, DataSource.names())
    known = f"the sources are {', '.join(DataSource.names())}; or give a path"
    raise DataError(f"there is no data source, file or folder {shown(text)}", help=hint or known)


def stamp(source: DataSource, files: Iterable[str | os.PathLike[str]]) -> str:
    """``DataSource.fingerprint`` of a source in files: its arguments, and the files' names, sizes and times."""
    from archspec.data.arguments import written
    from archspec.storage.fingerprint import stat_fingerprint

    try:
        return stat_fingerprint(repr(written(source)), files)
    except OSError as error:
        raise DataError(f"{shown(str(error.filename), 400)[1:-1]} cannot be read: {error.strerror}") from None
