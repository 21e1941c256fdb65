"""The layers of the sentence model of Kalchbrenner et al. 2014."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class KMaxPooling(keras.Layer):
    """The largest values of every channel over time, in their order; of equal ones the first.

    Their number is max(k, ⌈(layers - layer) / layers · steps of the sentence⌉). Steps that the mask leaves out do not
    count; zeros at the end, masked, stand for what is missing.
    """

    def __init__(self, k: int, layer: int = 1, layers: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.k, self.layer, self.layers = k, layer, layers
        self.supports_masking = True

    def call(
        self, x: Tensor, sentence: Tensor | None = None, mask: Tensor | None = None, x_mask: Tensor | None = None
    ) -> Tensor:
        # Keras fills ``mask`` where there is one input, ``x_mask`` where there are two.
        mask = x_mask if mask is None else mask
        k = self._count(None if sentence is None else ops.shape(sentence)[1])
        values = ops.swapaxes(x, 1, 2)
        there = None if mask is None else ops.cast(mask, "bool")[:, None, :]
        if not (isinstance(k, int) and isinstance(x.shape[1], int) and k <= x.shape[1]):
            # The time is open, and may be too short.
            if there is None:
                there = ops.ones((1, 1, ops.shape(x)[1]), dtype="bool")
            there = ops.pad(there, ((0, 0), (0, 0), (0, k)))
            values = ops.pad(values, ((0, 0), (0, 0), (0, k)))
        if there is None:
            places = ops.sort(ops.top_k(values, k)[1], axis=-1)
            return ops.swapaxes(ops.take_along_axis(values, places, axis=-1), 1, 2)
        there = ops.broadcast_to(there, ops.shape(values))
        ranked = ops.where(there, values, ops.cast(float("-inf"), values.dtype))
        places = ops.sort(ops.top_k(ranked, k)[1], axis=-1)
        kept = ops.take_along_axis(ops.where(there, values, ops.zeros_like(values)), places, axis=-1)
        return ops.swapaxes(kept, 1, 2)

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        """None: zeros at the end are values like all others."""
        return None

    def compute_output_shape(self, x_shape: Shape, sentence_shape: Shape | None = None) -> Shape:
        steps = None if sentence_shape is None else sentence_shape[1]
        dynamic = sentence_shape is not None and self.layer < self.layers
        return (x_shape[0], None if dynamic and steps is None else self._count(steps), x_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "k": self.k, "layer": self.layer, "layers": self.layers}

    def _count(self, steps: Tensor) -> Tensor:
        """How many values are kept of a sentence of ``steps`` (a number or a scalar tensor)."""
        if steps is None or self.layer == self.layers:
            return self.k
        share = (steps * (self.layers - self.layer) + self.layers - 1) // self.layers
        return max(self.k, share) if isinstance(steps, int) else ops.maximum(self.k, share)


@register
class Folding(keras.Layer):
    """Sums every two neighbouring rows, of ``maps`` channels each."""

    def __init__(self, maps: int = 1, **kwargs: Any):
        super().__init__(**kwargs)
        self.maps = maps
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        shape, channels = ops.shape(inputs)[:-1], inputs.shape[-1]
        rows = ops.reshape(inputs, (*shape, channels // (2 * self.maps), 2, self.maps))
        return ops.reshape(rows[..., 0, :] + rows[..., 1, :], (*shape, channels // 2))

    def compute_output_shape(self, input_shape: tuple[int, ...]) -> Shape:
        return (*input_shape[:-1], input_shape[-1] // 2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "maps": self.maps}
