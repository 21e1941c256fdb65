"""Which training examples share a batch.

A sampler is arithmetic: from the number of a step, and what is known of the examples before they are read, follow their
positions. Any step can therefore be the first, and a run that was killed goes on with what it would have read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.feature import class_name
from archspec.data.source import TRAIN, DataSource
from archspec.ir.declaration import Declaration

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    Order = Callable[[tf.Tensor], tf.Tensor]
    """The number of a step, a scalar int64, → the positions of its examples, int64 of shape (batch,)."""


FIRST_KEY = 498247692
"""What TensorFlow puts before a seed of two numbers."""


class UnknownLabels(DataError):
    """The labels of examples are not known before these are read."""


@dataclass(frozen=True, eq=False)
class Keys:
    """What is known of the training examples before they are read."""

    source: DataSource
    features: Example

    @property
    def count(self) -> int:
        """How many there are."""
        return self.features.splits[TRAIN]

    @cached_property
    def labels(self) -> np.ndarray:
        """The class of each, int64. Raises DataError."""
        import numpy as np

        return np.asarray(training_labels(self.source), np.int64)

    @cached_property
    def by_class(self) -> ByClass:
        """Their positions by class. Raises DataError."""
        import numpy as np

        positions = np.argsort(self.labels, kind="stable")
        counts = np.bincount(self.labels, minlength=self.features.classes or 0)
        return ByClass(positions, counts, np.cumsum(counts) - counts)

    def called(self, number: int) -> str:
        """The name of a class."""
        return class_name(self.features.class_names, number)


@dataclass(frozen=True, eq=False)
class ByClass:
    """Positions of examples, those of a class beside each other; where the positions of each class begin, and how many
    it has."""

    positions: np.ndarray
    counts: np.ndarray
    starts: np.ndarray


class Sampler(Declaration, package="archspec.data.samplers"):
    """An order of examples. Order of rules: fields, ``check``, ``steps``, ``order``."""

    def check(self, keys: Keys, batch: int) -> None:
        """Refuse what it cannot make batches of. Raises DataError."""

    def leaves_out(self, keys: Keys) -> set[int]:
        """The classes of which it never draws an example. Raises DataError."""
        return set()

    def steps(self, keys: Keys, batch: int) -> int:
        """Batches of an epoch."""
        return keys.count // batch

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        """The examples of each step, of whatever epoch: step s of epoch e is number e · ``steps`` + s."""
        raise NotImplementedError


def shuffled(place: tf.Tensor, size: Any, *seed: Any) -> tf.Tensor:
    """What stands at places of a permutation of 0 … size - 1 that two numbers determine; several places, or sizes and
    numbers too, as vectors."""
    import tensorflow as tf

    numbers, last = tf.stack([tf.cast(n, tf.int64) for n in seed], -1), tf.cast(size - 1, tf.int64)
    if numbers.shape.rank == 1:
        return tf.random.experimental.index_shuffle(place, numbers, last)
    # The public function, which puts a third number before the two, takes one seed only.
    whole = tf.pad(numbers, [[0, 0], [1, 0]], constant_values=FIRST_KEY)
    return tf.raw_ops.RandomIndexShuffle(index=place, seed=whole, max_index=last, rounds=4)


def training_labels(source: DataSource, split: str = TRAIN) -> Any:
    """The class of every training example, or of those of another split. Raises UnknownLabels, DataError."""
    if source.is_encoded and (listing := cast(Any, source).listing()).class_names:
        if listing.most is not None:
            message = f"an example of '{source.name}' has objects, and no class of its own"
            raise UnknownLabels(message, help="sampler: {repeat_factor: 0.3} draws images of rare classes oftener")
        return [entry.label for entry in listing.splits[split]]
    if source.in_memory and (labels := source.class_labels(split)) is not None and labels.ndim == 1:
        return labels.tolist()
    raise UnknownLabels(f"the examples of '{source.name}' cannot be counted by class before they are read")
