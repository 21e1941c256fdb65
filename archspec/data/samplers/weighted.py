"""Some classes oftener than others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from archspec.data.class_weights import BALANCED, ClassWeight, class_factors
from archspec.data.errors import DataError
from archspec.data.sampler import Keys, Sampler

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.sampler import Order


class Weighted(Sampler, name="weighted", main="weights"):
    """Examples drawn with replacement, with probabilities proportional to the weights of their classes. An epoch draws
    as many examples as there are."""

    weights: ClassWeight = BALANCED
    """Weight of each class's examples: a list, a map by names of classes (others weigh 1), or ``balanced``, with which
    every class is drawn as often as any other."""

    def check(self, keys: Keys, batch: int) -> None:
        if not self._totals(keys).sum() > 0:
            raise DataError("weighted: all examples have the weight 0")

    def leaves_out(self, keys: Keys) -> set[int]:
        return {k for k, total in enumerate(self._totals(keys).tolist()) if total == 0}

    def _totals(self, keys: Keys) -> np.ndarray:
        """The weight of all examples of each class."""
        import numpy as np

        counts = keys.by_class.counts
        said: Any = self.weights
        factors = class_factors(said, keys.features, lambda: Counter(keys.labels.tolist()), "weights")
        totals: np.ndarray = counts * np.array([factors[k] for k in range(len(counts))])
        return totals

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        import numpy as np
        import tensorflow as tf

        found, totals = keys.by_class, self._totals(keys)
        limits = tf.constant(np.cumsum(totals / totals.sum()))
        last = int(np.flatnonzero(totals)[-1])
        positions, counts, starts = (tf.constant(a) for a in (found.positions, found.counts, found.starts))

        def at(step: tf.Tensor) -> tf.Tensor:
            slot = step * batch + tf.range(batch, dtype=tf.int64)
            first, second = evenly(seed, "weighted", slot)
            number = tf.minimum(tf.searchsorted(limits, first, side="right", out_type=tf.int64), last)
            count = tf.gather(counts, number)
            return tf.gather(positions, tf.gather(starts, number) + below(second, count))

        return at


def evenly(seed: int, stream: str, slot: tf.Tensor) -> list[tf.Tensor]:
    """Two float64 for each slot, 0 ≤ x < 1, in steps of 2⁻⁵³: what is drawn of a million examples needs more than those
    of float32."""
    import tensorflow as tf

    from archspec.data.draw import Draw

    bits = tf.bitcast(Draw(seed, stream, tf.zeros_like(slot), slot).seeds(), tf.uint64)
    unit = tf.cast(tf.bitwise.right_shift(bits, tf.constant(11, tf.uint64)), tf.float64) * 2.0**-53
    return tf.unstack(unit, axis=1)  # type: ignore[no-any-return]


def below(unit: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Integers 0 ≤ n < limit out of evenly drawn numbers."""
    import tensorflow as tf

    return tf.minimum(tf.cast(unit * tf.cast(limit, tf.float64), tf.int64), limit - 1)
