"""Elements at other places, which Keras has as functions only. All axes count the batch axis. Masks go on where the
axis of steps stays as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class Gather(keras.Layer):
    """Elements of an axis at ``indices``, or at the places that a second input gives for each example."""

    def __init__(self, axis: int, indices: Sequence[int] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis, self.indices = axis, None if indices is None else list(indices)
        # Places are whole numbers whatever the layer computes in, and half precision does not hold all of them.
        self.autocast = False
        self.supports_masking = True

    def call(self, x: Tensor, places: Tensor | None = None) -> Tensor:
        if self.indices is not None:
            return ops.take(x, ops.convert_to_tensor(self.indices, "int32"), axis=self.axis)
        # Along one axis behind the batch axis, each example by itself.
        lead, rest = x.shape[1 : self.axis], x.shape[self.axis + 1 :]
        shape = ops.shape(x)
        flat = ops.moveaxis(x, self.axis, 1)
        wanted = ops.reshape(ops.cast(places, "int32"), (shape[0], -1, *(1,) * (len(lead) + len(rest))))
        wanted = ops.broadcast_to(wanted, (shape[0], ops.shape(wanted)[1], *ops.shape(flat)[2:]))
        found = ops.moveaxis(ops.take_along_axis(flat, wanted, axis=1), 1, self.axis)
        return ops.reshape(found, (*shape[: self.axis], *ops.shape(places)[1:], *shape[self.axis + 1 :]))

    def compute_output_shape(self, x_shape: Shape, places_shape: Shape | None = None) -> Shape:
        put = (len(self.indices),) if self.indices is not None else (places_shape or ())[1:]
        return (*x_shape[: self.axis], *put, *x_shape[self.axis + 1 :])

    def compute_mask(self, x: Tensor, mask: Tensor | None = None) -> Tensor | None:
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "indices": self.indices}


@register
class Roll(keras.Layer):
    """Elements moved along axes, around the end."""

    def __init__(self, shift: Sequence[int], axis: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.shift, self.axis = tuple(shift), tuple(axis)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.roll(inputs, self.shift, axis=self.axis)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "shift": list(self.shift), "axis": list(self.axis)}


@register
class Tile(keras.Layer):
    """The tensor side by side, so often along each axis behind the batch axis."""

    def __init__(self, repeats: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.repeats = tuple(repeats)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.tile(inputs, (1, *self.repeats))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "repeats": list(self.repeats)}


@register
class ExpandDims(keras.Layer):
    """A further axis, of length 1."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.expand_dims(inputs, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@register
class Squeeze(keras.Layer):
    """An axis of length 1 taken away."""

    def __init__(self, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.squeeze(inputs, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
