"""Pairs of examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.data.errors import DataError
from archspec.data.sampler import Keys, Sampler, shuffled
from archspec.data.samplers.weighted import below, evenly
from archspec.data.transform import Share

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.sampler import Order


class Pairs(Sampler, name="pairs", main="same"):
    """Pairs, beside each other in the batch: a share of two examples of one class, the others of two. The first of a
    pair comes as in ``uniform``, the second is drawn. An epoch has as many examples as there are."""

    same: Share = 0.5
    """Share of the pairs that are of one class; those come first in a batch."""

    def check(self, keys: Keys, batch: int) -> None:
        counts = keys.by_class.counts
        if batch % 2:
            raise DataError(f"pairs: a batch of {batch} cannot be divided into pairs", help=f"batch: {batch + 1}")
        if self._same(batch) < batch // 2 and (counts > 0).sum() < 2:
            raise DataError("pairs: all training examples have one class", help="same: 1")
        if self._same(batch) and (counts == 1).any():
            name = keys.called(int((counts == 1).argmax()))
            raise DataError(f"pairs: class '{name}' has one example, and no pair of its own", help="same: 0")

    def _same(self, batch: int) -> int:
        return round(self.same * (batch // 2))

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        import numpy as np
        import tensorflow as tf

        found, half, count = keys.by_class, batch // 2, keys.count
        steps = count // half
        # Where each example stands among those of its class, and where its class begins and how many it has.
        place = np.empty(count, np.int64)
        place[found.positions] = np.arange(count)
        places, positions, labels = (tf.constant(a) for a in (place, found.positions, keys.labels))
        counts, starts = tf.constant(found.counts), tf.constant(found.starts)
        is_same = tf.range(half) < self._same(batch)

        def at(step: tf.Tensor) -> tf.Tensor:
            slot = tf.range(half, dtype=tf.int64)
            first = shuffled(step % steps * half + slot, count, seed, step // steps)
            label, own = tf.gather(labels, first), tf.gather(places, first)
            size, start = tf.gather(counts, label), tf.gather(starts, label)
            unit, _ = evenly(seed, "pairs", step * half + slot)
            # Of its class another: so many places on, around its end. Of other classes: those before it and behind it.
            on = 1 + below(unit, tf.maximum(size - 1, 1))
            alike = start + (own - start + on) % size
            other = below(unit, tf.maximum(count - size, 1))
            other = tf.where(other < start, other, other + size)
            second = tf.gather(positions, tf.where(is_same, alike, tf.minimum(other, count - 1)))
            return tf.reshape(tf.stack([first, second], 1), (batch,))

        return at
