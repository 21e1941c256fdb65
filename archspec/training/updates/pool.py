"""The image pool between generator and critic (Shrivastava et al. 2017, section 2.3; CycleGAN's pool of 50)."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.backend.seams.generators import Seed
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

    def exchange(self, batch: Any, first: Any, second: Any) -> Any:
        """What the pool gives for a batch, one example after another: itself, or an earlier one that it replaces.
        Which it is follows from two whole numbers."""
        amount = ops.shape(batch)[0]
        chance = keras.random.uniform((amount,), seed=Seed(first, second))
        places = keras.random.randint((amount,), 0, self.size, seed=Seed(first + 1, second + 1))
        start = ops.convert_to_tensor(0, "int32")

        def one(i: Any, pool: Any, filled: Any, out: Any) -> tuple[Any, ...]:
            is_full = filled >= self.size
            place = ops.where(is_full, ops.take(places, i), filled)
            swap = ops.logical_and(is_full, ops.take(chance, i) < 0.5)
            new, old = ops.take(batch, i, axis=0), ops.take(pool, place, axis=0)
            kept = ops.where(ops.logical_or(swap, ops.logical_not(is_full)), new, old)
            pool = ops.scatter_update(pool, ops.reshape(place, (1, 1)), kept[None])
            out = ops.scatter_update(out, ops.reshape(i, (1, 1)), ops.where(swap, old, new)[None])
            return i + 1, pool, filled + ops.cast(ops.logical_not(is_full), "int32"), out

        # Each is a copy: variables that a loop begins with change under it on PyTorch.
        first_values = (start, self.members.value * 1, self.count.value * 1, ops.zeros_like(batch))
        _, pool, filled, out = ops.while_loop(lambda i, *_: i < amount, one, first_values)
        self.members.assign(pool)
        self.count.assign(filled)
        return out
