"""The image pool between generator and critic (Shrivastava et al. 2017, section 2.3; CycleGAN's pool of 50)."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from archspec.ir.graph import Node


class Pool:
    """The last ``size`` examples of a result; variables of ``model``, so that checkpoints have them."""

    def __init__(self, model: keras.Model, node: Node, size: int):
        self.size = size
        name, shape = node.name.replace(".", "_"), node.output.shape
        self.members = model.add_weight(
            shape=(size, *shape), initializer="zeros", trainable=False, name=f"pool_{name}", dtype=node.output.dtype
        )
        self.count = model.add_weight(
            shape=(), initializer="zeros", trainable=False, name=f"pool_{name}_count", dtype="int32"
        )

    def exchange(self, batch: Any, seed: Any) -> Any:
        """What the pool gives for a batch, one example after another: itself, or an earlier one that it replaces."""
        amount = tf.shape(batch)[0]
        chance = tf.random.stateless_uniform((amount,), seed)
        places = tf.random.stateless_uniform((amount,), seed + 1, 0, self.size, dtype=tf.int32)
        members, count = self.members.value, self.count.value

        def one(i: Any, pool: Any, filled: Any, out: Any) -> tuple[Any, ...]:
            full = filled >= self.size
            place = tf.where(full, places[i], filled)
            swap = tf.logical_and(full, chance[i] < 0.5)
            given = tf.where(swap, pool[place], batch[i])
            kept = tf.where(tf.logical_or(swap, tf.logical_not(full)), batch[i], pool[place])
            pool = tf.tensor_scatter_nd_update(pool, [[place]], kept[None])
            return i + 1, pool, filled + tf.cast(tf.logical_not(full), tf.int32), out.write(i, given)

        start = (tf.constant(0), tf.identity(members), tf.identity(count), tf.TensorArray(batch.dtype, size=amount))
        _, pool, filled, out = tf.while_loop(lambda i, *_: i < amount, one, start, parallel_iterations=1)
        self.members.assign(pool)
        self.count.assign(filled)
        return tf.ensure_shape(out.stack(), batch.shape)
