"""Pairs of examples: whether two are of one class."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.example import LABEL, VECTOR, Example, input_of
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.vector import Vector
from archspec.data.sampler import training_labels
from archspec.data.source import DataSource, in_order
from archspec.data.transform import Share
from archspec.ir.reading import declared

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

KINDS = ("different", "same")
"""The classes of pairs."""
PARTS = ("a", "b")


class Pairs(DataSource, name="pairs", main="of"):
    """Two examples ``a`` and ``b`` of other data, and whether they are of one class: what networks of two towers learn
    from (Bromley et al. 1993). Pairs stay in a split of those data, and every example of it begins as many; one whose
    file is broken and left out (``on_bad: skip``) is the second of none.

    Which ones stand together follows from the seed; a training sees the same pairs in every epoch.
    """

    of: declared(DataSource, "a data source")  # type: ignore[valid-type]
    """Data with a class for each image or vector."""
    same: Share = 0.5
    """Share of the pairs that are of one class."""
    each: Annotated[int, Field(ge=1, le=1000)] = 2
    """Pairs that begin with an example."""
    seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Seed of the pairs; not that of the training."""

    @property
    def made_of(self) -> Mapping[str, DataSource]:
        return {"of": self.of}

    @property
    def in_memory(self) -> bool:  # type: ignore[override]
        """As the other data."""
        return bool(self.of.in_memory)

    def features(self) -> Example:
        found: Example = self.of.features()
        one = found.features[input_of(found.parts)]
        if not isinstance(one, (Image, Vector)) or not isinstance(found.features.get(LABEL), Label):
            raise DataError(f"pairs: '{self.of.name}' has no images or vectors with a class for each")
        splits = {split: count * self.each for split, count in found.splits.items()}
        return Example({**dict.fromkeys(PARTS, one), LABEL: Label(len(KINDS), KINDS)}, splits, found.is_divided)

    def arrays(self, split: str) -> dict[str, Any]:
        arrays, pairs = self.of.arrays(split), self._pairs(split)
        one = arrays[input_of(arrays)]
        return {**{part: one[pairs[:, k]] for k, part in enumerate(PARTS)}, LABEL: self.class_labels(split)}

    def class_labels(self, split: str) -> Any:
        import numpy as np

        numbers = range(len(training_labels(self.of, split)) * self.each)
        return np.array([_is_same(number, self.same) for number in numbers], np.int32)

    def open(self, split: str, order: tf.data.Dataset | None = None) -> tf.data.Dataset:
        if self.in_memory:
            return super().open(split, order)
        import tensorflow as tf

        pairs, kinds = tf.constant(self._pairs(split)), tf.constant(self.class_labels(split))
        order = in_order(len(pairs)) if order is None else order
        one = input_of(self.of.features().parts)

        def at(k: int) -> tf.data.Dataset:
            return self.of.open(split, order.map(lambda at: {"index": tf.gather(pairs, at["index"])[k]}))

        def read(at: dict[str, tf.Tensor], *examples: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            parts = {part: example[one] for part, example in zip(PARTS, examples, strict=True)}
            return {**at, **parts, LABEL: tf.gather(kinds, at["index"])}

        return tf.data.Dataset.zip((order, *(at(k) for k in range(len(PARTS))))).map(read)

    def usable(self, split: str) -> Any:
        import numpy as np

        known = self.of.usable(split)
        return None if known is None else np.flatnonzero(np.isin(self._pairs(split), known).all(1)).astype(np.int64)

    def fingerprint(self) -> str:
        return f"{self.of.fingerprint()}/pairs/{self.same}/{self.each}/{self.seed}"

    def with_columns(self, columns: Mapping[str, Sequence[str]]) -> DataSource:
        # Of images in files it is the column of their names.
        own = {} if self.of.is_encoded else {VECTOR: columns.get(PARTS[0], ())}
        return self.model_copy(update={"of": self.of.with_columns(own)})

    def describe(self, split: str, position: int) -> str:
        return " and ".join(self.of.describe(split, int(k)) for k in self._pairs(split)[position])

    def _pairs(self, split: str) -> np.ndarray:
        """Positions of the two examples of every pair, int64 of shape (pairs, 2). Raises DataError."""
        return _paired(self, split, self.fingerprint())


def _is_same(number: int, share: float) -> bool:
    """Whether the pair of this number is of one class: as many are as the share says, whatever the number of pairs."""
    return int((number + 1) * share) > int(number * share)


@lru_cache(maxsize=8)
def _paired(source: Pairs, split: str, fingerprint: str) -> np.ndarray:
    import numpy as np

    labels, known = training_labels(source.of, split), source.of.usable(split)
    sound = range(len(labels)) if known is None else known.tolist()
    by_class: dict[int, list[int]] = {}
    for position in sound:
        by_class.setdefault(labels[position], []).append(position)
    lost = next((k for k, label in enumerate(labels) if label not in by_class), None)
    if lost is not None:
        one = source.of.describe(split, lost)
        raise DataError(f"pairs: none of {split} can be read of the class that {one} has", help="leave the class out")
    if source.same < 1 and len(by_class) < 2:
        raise DataError(f"pairs: all examples of {split} have one class", help="same: 1")
    # Those of a class beside each other: of the other classes are those before and behind.
    dealt = [position for members in by_class.values() for position in members]
    starts, start = {}, 0
    for label, members in by_class.items():
        starts[label], start = start, start + len(members)
    random, out = Random(f"{source.seed}/{split}"), []
    for first, label in enumerate(labels):
        own, start = by_class[label], starts[label]
        # The next one's place where this is broken: that is what training takes in its stead.
        place = bisect_left(own, first)
        for k in range(source.each):
            number = first * source.each + k
            is_same = _is_same(number, source.same)
            drawn = random.random()
            if is_same and len(own) == 1:
                raise DataError(f"pairs: a class has one example in {split}, and no pair of its own", help="same: 0")
            if is_same:
                # Another of the class: so many places on, around its end.
                on = 1 + int(drawn * (len(own) - 1))
                second = own[(place + on) % len(own)]
            else:
                other = int(drawn * (len(dealt) - len(own)))
                second = dealt[other if other < start else other + len(own)]
            out.append((first, second))
    return np.array(out, np.int64).reshape(-1, 2)
