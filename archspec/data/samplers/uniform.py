"""Every example once in an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.data.sampler import Keys, Sampler, shuffled

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.sampler import Order


class Uniform(Sampler, name="uniform"):
    """All examples in random order, each at most once in an epoch. What is left after the last full batch is not used
    in that epoch; the next leaves out others."""

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        steps = self.steps(keys, batch)

        def at(step: tf.Tensor) -> tf.Tensor:
            import tensorflow as tf

            epoch, within = step // steps, step % steps
            return shuffled(within * batch + tf.range(batch, dtype=tf.int64), keys.count, seed, epoch)

        return at
