"""Examples beside others as long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.sampler import Keys, Sampler, shuffled
from archspec.data.source import TRAIN

if TYPE_CHECKING:
    import tensorflow as tf

    from archspec.data.sampler import Order


class Buckets(Sampler, name="buckets", main="batches"):
    """As ``uniform``, but the examples of several batches are drawn together and divided by their lengths, so that
    little is padding; these batches come in random order."""

    batches: Annotated[int, Field(ge=1, le=2**16)] = 16
    """Batches that are drawn together; 1 divides nothing."""

    def check(self, keys: Keys, batch: int) -> None:
        if keys.source.lengths(TRAIN) is None:
            raise DataError(
                f"buckets: the examples of '{keys.source.name}' do not differ in length", help="sampler: uniform"
            )

    def order(self, keys: Keys, batch: int, seed: int) -> Order:
        import tensorflow as tf

        found = keys.source.lengths(TRAIN)
        assert found is not None
        steps, lengths = self.steps(keys, batch), tf.constant(found.steps)

        def at(step: tf.Tensor) -> tf.Tensor:
            epoch, within = step // steps, step % steps
            slice = tf.range(batch, dtype=tf.int64)
            if self.batches == 1:
                return shuffled(within * batch + slice, keys.count, seed, epoch)
            first = within // self.batches * self.batches
            batches = tf.minimum(tf.constant(self.batches, tf.int64), steps - first)
            pool = shuffled(first * batch + tf.range(batches * batch), keys.count, seed, epoch)
            alike = tf.argsort(tf.gather(lengths, pool), stable=True)
            place = shuffled(within - first, batches, seed, ~(epoch * steps + first))
            return tf.gather(pool, tf.gather(alike, place * batch + slice))

        return at
