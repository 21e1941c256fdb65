"""Items of an axis as examples of a batch, and back."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class FoldItems(keras.Layer):
    """(batch, items, …) to (batch · items, …); with ``repeats``, (batch, …) as often for each item."""

    def __init__(self, repeats: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.repeats = repeats

    def call(self, x: Tensor) -> Tensor:
        return ops.repeat(x, self.repeats, axis=0) if self.repeats else ops.reshape(x, (-1, *x.shape[2:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "repeats": self.repeats}


@register
class UnfoldItems(keras.Layer):
    """(batch · items, …) to (batch, items, …)."""

    def __init__(self, items: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.items = items

    def call(self, x: Tensor) -> Tensor:
        return ops.reshape(x, (-1, self.items, *x.shape[1:]))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Said, since JAX cannot divide a batch of any size."""
        return (None if shape[0] is None else shape[0] // self.items, self.items, *shape[1:])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "items": self.items}
