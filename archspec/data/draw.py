"""Random numbers for a batch, each example's from its own key.

A number depends on (seed, stream, epoch, example) and on how many were drawn before it, and on nothing else: not on the
batch the example stands in, nor on threads, shards or a restart. TensorFlow's stateless generators take one seed for a
whole call; here a call needs as many as there are examples, so the generator is the mixing function of SplitMix64
(Steele, Lea and Flood 2014) on 64-bit integers, vectorised, and exact on every device.
"""

from __future__ import annotations

from math import pi, prod
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    import tensorflow as tf

GOLDEN, MULTIPLIERS = 0x9E3779B97F4A7C15, (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


class Draw:
    """Draws for a batch of examples: ``epoch`` and ``index`` are int64 of shape (batch,)."""

    def __init__(self, seed: int, stream: str, epoch: tf.Tensor, index: tf.Tensor):
        import tensorflow as tf

        start = _mix_int((seed << 32 ^ crc32(stream.encode())) % 2**64)
        key = _mix(tf.cast(epoch, tf.uint64) + tf.constant(start, tf.uint64))
        self._key = _mix(key + tf.cast(index, tf.uint64))
        self._count = 0
        self.batch = tf.shape(index)[0]

    def uniform(self, low: float = 0.0, high: float = 1.0, *, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """One float32 for each example (or ``shape`` of them), low ≤ x < high, in steps of 2⁻²⁴ of the range."""
        import tensorflow as tf

        unit = tf.cast(tf.bitwise.right_shift(self._bits(shape), tf.constant(40, tf.uint64)), tf.float32) * 2.0**-24
        return low + (high - low) * unit

    def normal(self, *, shape: tuple[int, ...] = ()) -> tf.Tensor:
        """One float32 for each example (or ``shape`` of them) of the standard normal distribution (Box and Muller)."""
        import tensorflow as tf

        radius = tf.sqrt(-2.0 * tf.math.log(1.0 - self.uniform(shape=shape)))
        return radius * tf.cos(self.uniform(0.0, 2 * pi, shape=shape))

    def sign(self) -> tf.Tensor:
        """-1 or 1 for each example."""
        import tensorflow as tf

        return tf.where(self.uniform() < 0.5, -1.0, 1.0)

    def seeds(self) -> tf.Tensor:
        """A seed of TensorFlow's stateless operations for each example: int64 of shape (batch, 2)."""
        import tensorflow as tf

        return tf.bitcast(self._bits((2,)), tf.int64)

    def pixels(self, shape: tuple[int, ...]) -> tf.Tensor:
        """Evenly drawn numbers 0 ≤ x < 1 for every element of ``shape``, of which there may be many."""
        import tensorflow as tf

        count = prod(shape)
        steps = tf.range(1, count + 1, dtype=tf.int64)
        key = _mix(self._key + tf.constant((self._count + 1) * GOLDEN % 2**64, tf.uint64))
        self._count += 1
        bits = _mix(key[:, None] + tf.cast(steps, tf.uint64)[None] * tf.constant(GOLDEN, tf.uint64))
        unit = tf.cast(tf.bitwise.right_shift(bits, tf.constant(40, tf.uint64)), tf.float32) * 2.0**-24
        return tf.reshape(unit, (-1, *shape))

    def _bits(self, shape: tuple[int, ...]) -> tf.Tensor:
        """64 random bits for each example and element; element k takes the count's next place but k."""
        import numpy as np
        import tensorflow as tf

        count = prod(shape)
        steps = [(self._count + 1 + k) * GOLDEN % 2**64 for k in range(count)]
        self._count += count
        # As an array: of a list, tf.constant rounds numbers of 64 bits to floats where it builds a graph.
        offsets = tf.constant(np.array(steps, np.uint64).reshape(shape))
        return _mix(tf.reshape(self._key, (-1,) + (1,) * len(shape)) + offsets)

    def integers(self, limit: tf.Tensor | int) -> tf.Tensor:
        """One int32 for each example, 0 ≤ n < limit."""
        import tensorflow as tf

        top = tf.cast(limit, tf.float32)
        return tf.minimum(tf.cast(self.uniform() * top, tf.int32), tf.cast(limit, tf.int32) - 1)


class Undrawn(Draw):
    """Of one example, for what draws nothing: nothing of a generator gets into a file that is written with it."""

    def __init__(self) -> None:
        self.batch = 1


def _mix(x: tf.Tensor) -> tf.Tensor:
    import tensorflow as tf

    for shift, factor in zip((30, 27), MULTIPLIERS, strict=True):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(shift, tf.uint64)))
        x *= tf.constant(factor, tf.uint64)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(31, tf.uint64)))


def _mix_int(x: int) -> int:
    """``_mix`` of a Python integer."""
    for shift, factor in zip((30, 27), MULTIPLIERS, strict=True):
        x = (x ^ x >> shift) * factor % 2**64
    return x ^ x >> 31
