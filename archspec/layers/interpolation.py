"""Maps (batch, height, width, channels) read between their positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


def as_places(numbers: Tensor) -> Tensor:
    """Numbers in a type that tells the positions of a map apart, and what is between: half precision does not."""
    return ops.cast(numbers, keras.backend.result_type(numbers.dtype, "float32"))


def at_positions(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """(batch, height, width, channels) at whole places (batch, n), which may lie outside, where there is 0."""
    _, height, width, channels = x.shape
    within = ops.logical_and(
        ops.logical_and(rows >= 0, rows <= height - 1), ops.logical_and(columns >= 0, columns <= width - 1)
    )
    row, column = ops.clip(rows, 0, height - 1), ops.clip(columns, 0, width - 1)
    places = ops.cast(row, "int32") * width + ops.cast(column, "int32")
    flat = ops.reshape(x, (-1, height * width, channels))
    index = ops.broadcast_to(places[..., None], (*ops.shape(places), channels))
    return ops.take_along_axis(flat, index, axis=1) * ops.cast(within, x.dtype)[..., None]


def between_positions(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The same at any places, by distance from the four positions around."""
    top, left = ops.floor(rows), ops.floor(columns)
    down, right = (ops.cast(t, x.dtype)[..., None] for t in (rows - top, columns - left))
    upper = at_positions(x, top, left) * (1 - right) + at_positions(x, top, left + 1) * right
    lower = at_positions(x, top + 1, left) * (1 - right) + at_positions(x, top + 1, left + 1) * right
    return upper * (1 - down) + lower * down


@register
class GridSample(keras.Layer):
    """A map at the places of a grid of x and y from -1 to 1."""

    def __init__(self, mode: str = "bilinear", align_corners: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.mode, self.align_corners = mode, align_corners
        # The grid stays what it is.
        self.autocast = False

    def call(self, x: Tensor, grid: Tensor) -> Tensor:
        x, grid = ops.cast(x, self.compute_dtype), as_places(grid)
        (_, height, width, channels), shape = x.shape, ops.shape(grid)
        columns, rows = (self._place(grid[..., i], size) for i, size in enumerate((width, height)))
        columns, rows = (ops.reshape(t, (shape[0], -1)) for t in (columns, rows))
        if self.mode == "nearest":
            read = at_positions(x, ops.round(rows), ops.round(columns))
        else:
            read = between_positions(x, rows, columns)
        return ops.reshape(read, (*shape[:3], channels))

    def _place(self, at: Tensor, size: int) -> Tensor:
        return (at + 1) / 2 * (size - 1) if self.align_corners else ((at + 1) * size - 1) / 2

    def compute_output_shape(self, x_shape: Shape, grid_shape: Shape) -> Shape:
        return (*grid_shape[:3], x_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode, "align_corners": self.align_corners}


@register
class DeformableConvolution(keras.Layer):
    """Convolution whose taps are moved, and weighted, by further inputs; ``before`` are the zeros before each axis."""

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int],
        dilation_rate: Sequence[int],
        before: Sequence[int],
        use_bias: bool = True,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, tuple(kernel_size), tuple(strides)
        self.dilation_rate, self.before, self.use_bias = tuple(dilation_rate), tuple(before), use_bias
        self.activation = keras.activations.get(activation)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)

    def build(self, x_shape: Shape, offset_shape: Shape | None = None, weight_shape: Shape | None = None) -> None:
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, x_shape[-1], self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer=self.bias_initializer)

    def call(self, x: Tensor, offset: Tensor, weight: Tensor | None = None) -> Tensor:
        height, width, channels = offset.shape[1], offset.shape[2], x.shape[-1]
        taps = self.kernel_size[0] * self.kernel_size[1]
        groups, batch = offset.shape[-1] // (2 * taps), ops.shape(x)[0]
        moved = as_places(ops.reshape(offset, (batch, height, width, groups, taps, 2)))
        starts = [
            ops.arange(n, dtype=moved.dtype) * s - b
            for n, s, b in zip((height, width), self.strides, self.before, strict=True)
        ]
        tap = ops.arange(taps)
        down = ops.cast(tap // self.kernel_size[1] * self.dilation_rate[0], moved.dtype)
        right = ops.cast(tap % self.kernel_size[1] * self.dilation_rate[1], moved.dtype)
        rows = moved[..., 0] + starts[0][:, None, None, None] + down
        columns = moved[..., 1] + starts[1][:, None, None] + right
        read = []
        for group, part in enumerate(ops.split(x, groups, axis=-1)):
            places = (ops.reshape(t[:, :, :, group], (batch, -1)) for t in (rows, columns))
            found = ops.reshape(between_positions(part, *places), (batch, height, width, taps, channels // groups))
            if weight is not None:
                shares = ops.reshape(weight, (batch, height, width, groups, taps))[:, :, :, group]
                found = found * shares[..., None]
            read.append(found)
        kernel = ops.reshape(self.kernel, (taps, channels, self.filters))
        y = ops.einsum("bhwtc,tcf->bhwf", ops.concatenate(read, axis=-1), kernel)
        return self.activation(y if self.bias is None else ops.add(y, self.bias))

    def compute_output_shape(self, x_shape: Shape, offset_shape: Shape, weight_shape: Shape | None = None) -> Shape:
        return (*offset_shape[:3], self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "dilation_rate": list(self.dilation_rate),
            "before": list(self.before),
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
