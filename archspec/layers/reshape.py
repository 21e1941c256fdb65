"""Data movement that Keras lacks. All axes count the batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Tensor


@keras.saving.register_keras_serializable("archspec")
class Slice(keras.Layer):
    """``start:stop`` of one axis."""

    def __init__(self, start: int, stop: int | None, axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.start, self.stop, self.axis = start, stop, axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        if mask is None or self.axis >= len(mask.shape):
            return mask
        return mask[(slice(None),) * self.axis + (slice(self.start, self.stop),)]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start, "stop": self.stop, "axis": self.axis}


@keras.saving.register_keras_serializable("archspec")
class Split(keras.Layer):
    """Consecutive parts of one axis, of the given sizes."""

    def __init__(self, sizes: Sequence[int], axis: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.sizes, self.axis = tuple(sizes), axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return tuple(ops.split(inputs, list(accumulate(self.sizes[:-1])), axis=self.axis))

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        if mask is None or self.axis >= len(mask.shape):
            return [mask] * len(self.sizes)
        return list(ops.split(mask, list(accumulate(self.sizes[:-1])), axis=self.axis))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "sizes": self.sizes, "axis": self.axis}


@keras.saving.register_keras_serializable("archspec")
class Pad(keras.Layer):
    """A margin around the spatial axes, (before, after) each: ``reflect`` mirrors, ``replicate`` repeats the edge."""

    def __init__(self, padding: Sequence[Sequence[int]], mode: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.padding = tuple((before, after) for before, after in padding)
        self.mode = mode

    def call(self, inputs: Tensor) -> Tensor:
        if self.mode == "reflect":
            return ops.pad(inputs, ((0, 0), *self.padding, (0, 0)), mode="reflect")
        x = inputs
        for axis, (before, after) in enumerate(self.padding, start=1):
            lead = (slice(None),) * axis
            first, last = x[(*lead, slice(None, 1))], x[(*lead, slice(-1, None))]
            parts = [ops.repeat(first, before, axis=axis)] if before else []
            parts.append(x)
            parts += [ops.repeat(last, after, axis=axis)] if after else []
            x = ops.concatenate(parts, axis=axis) if len(parts) > 1 else x
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "mode": self.mode}


@keras.saving.register_keras_serializable("archspec")
class PadChannels(keras.Layer):
    """Channels of zeros before and after the input's."""

    def __init__(self, before: int = 0, after: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.before, self.after = before, after
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return ops.pad(inputs, ((0, 0),) * (len(inputs.shape) - 1) + ((self.before, self.after),))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "before": self.before, "after": self.after}


@keras.saving.register_keras_serializable("archspec")
class Subsample(keras.Layer):
    """Every ``strides[i]``-th position of spatial axis ``i``, from the first."""

    def __init__(self, strides: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.strides = tuple(strides)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[(slice(None), *(slice(None, None, step) for step in self.strides))]

    def compute_mask(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor | None:
        if mask is None:
            return None
        steps = self.strides[: len(mask.shape) - 1]
        return mask[(slice(None), *(slice(None, None, step) for step in steps))]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strides": self.strides}


@keras.saving.register_keras_serializable("archspec")
class ChannelShuffle(keras.Layer):
    """Channel ``i·n + j`` of ``groups`` groups of ``n`` moves to ``j·groups + i`` (Zhang et al. 2017)."""

    def __init__(self, groups: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups = groups
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        shape = ops.shape(inputs)
        x = ops.reshape(inputs, (*shape[:-1], self.groups, shape[-1] // self.groups))
        return ops.reshape(ops.swapaxes(x, -1, -2), shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}


@keras.saving.register_keras_serializable("archspec")
class PixelShuffle(keras.Layer):
    """(H, W, C·f·f), channels ordered (C, f, f), to (H·f, W·f, C) (Shi et al. 2016; PyTorch's order)."""

    def __init__(self, factor: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Tensor) -> Tensor:
        n, height, width, channels = ops.shape(inputs)
        f, c = self.factor, channels // self.factor**2
        x = ops.transpose(ops.reshape(inputs, (n, height, width, c, f, f)), (0, 1, 4, 2, 5, 3))
        return ops.reshape(x, (n, height * f, width * f, c))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable("archspec")
class PixelUnshuffle(keras.Layer):
    """(H·f, W·f, C) to (H, W, C·f·f), channels ordered (C, f, f): the inverse of PixelShuffle."""

    def __init__(self, factor: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Tensor) -> Tensor:
        n, height, width, c = ops.shape(inputs)
        f = self.factor
        x = ops.reshape(inputs, (n, height // f, f, width // f, f, c))
        x = ops.transpose(x, (0, 1, 3, 5, 2, 4))
        return ops.reshape(x, (n, height // f, width // f, c * f * f))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
