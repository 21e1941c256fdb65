"""Several classes, several examples of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import pydantic

from archspec.data.errors import DataError
from archspec.data.sampler import Keys, Sampler, shuffled

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.sampler import Order

Size = Annotated[int, pydantic.Field(ge=1, le=2**16)]


class Classes(Sampler, name="classes"):
    """P classes and K examples of each in every batch, as losses of pairs and triplets need (PK sampling; Hermans et
    al. 2017). The examples of a class are adjacent.

    Classes come in random order, each once before one comes again, and so do the examples of a class; of a class with
    fewer than K, examples come several times in a batch. So a class counts as much as any other, whatever its size. An
    epoch has as many examples as there are.
    """

    p: Size
    """Classes in a batch."""
    k: Annotated[int, pydantic.Field(ge=2, le=2**16)]
    """Examples of each."""

    def check(self, keys: Keys, batch: int) -> None:
        if batch != self.p * self.k:
            raise DataError(
                f"classes: {self.p} classes of {self.k} examples are {self.p * self.k}, the batch is {batch}",
                help=f"batch: {self.p * self.k}",
            )
        present = int((keys.by_class.counts > 0).sum())
        if present < self.p:
            raise DataError(f"classes: the training examples have {present} classes, fewer than {self.p}")

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        import numpy as np
        import tensorflow as tf

        found = keys.by_class
        present = np.flatnonzero(found.counts)
        numbers, counts, starts = (tf.constant(a) for a in (present, found.counts[present], found.starts[present]))
        positions = tf.constant(found.positions)
        # Of the classes that a round has in random order, as many as fill whole batches are used.
        batches = len(present) // self.p
        each = tf.range(self.k, dtype=tf.int64)[None]

        def at(step: tf.Tensor) -> tf.Tensor:
            turn, within = step // batches, step % batches
            which = shuffled(within * self.p + tf.range(self.p, dtype=tf.int64), len(present), seed, turn)
            number, count, start = (tf.gather(values, which) for values in (numbers, counts, starts))
            # A class is met once in a turn, and gives its next examples: whole groups of a permutation of its own.
            groups = tf.maximum(count // self.k, 1)
            place = (turn % groups * self.k)[:, None] + each
            place = place % count[:, None]
            stream = number * 2**32 + turn // groups + 1
            flat = [tf.reshape(tf.broadcast_to(n[:, None], tf.shape(place)), [-1]) for n in (count, stream, start)]
            chosen = shuffled(tf.reshape(place, [-1]), flat[0], tf.fill(tf.shape(flat[0]), ~seed), flat[1])
            return tf.gather(positions, flat[2] + chosen)

        return at
