"""Normalisation over channels-last inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.ir.declaration import shared
from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import Epsilon
from archspec.ops.base import Op, OpError
from archspec.ops.reach import each_element, each_position
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace


@shared
def normalizing_flops(self: Any, out: TensorSpec, x: TensorSpec) -> int:
    """(5 + scale + center) * x.size"""
    return int((5 + self.scale + self.center) * x.size)


class BatchNorm(Op, name="batch_norm"):
    """Batch normalisation per channel (Ioffe and Szegedy 2015): by the batch in training, by moving averages after."""

    convention = "image"
    normalizes = True
    centers_channels = True
    is_equivariant = True
    keeps_zero = True

    momentum: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Share of the old moving average that each step keeps (PyTorch's momentum is 1 minus this)."""
    epsilon: Epsilon = 1e-3
    """Added to the variance."""
    scale: bool = True
    """Learn a factor per channel."""
    center: bool = True
    """Learn an offset per channel."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        return normalized(x, "batch_norm")

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        shape = (known_channels(x, "batch_norm"),)
        return (
            *factor_and_offset(x, self.scale, self.center),
            WeightSpec("moving_mean", shape, trainable=False, reads=0),
            WeightSpec("moving_variance", shape, trainable=False, reads=0),
        )

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return 2 * x.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.BatchNormalization(
            momentum=self.momentum, epsilon=self.epsilon, scale=self.scale, center=self.center
        )


class LayerNorm(Op, name="layer_norm"):
    """Layer normalisation over the last axis (Ba et al. 2016)."""

    normalizes = True
    is_equivariant = True
    keeps_zero = True

    epsilon: Epsilon = 1e-3
    """Added to the variance."""
    scale: bool = True
    """Learn a factor per channel."""
    center: bool = True
    """Learn an offset per channel."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        return normalized(x, "layer_norm")

    def is_constant(self, x: TensorSpec) -> bool:
        return x.channels == 1

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return factor_and_offset(x, self.scale, self.center)

    flops = normalizing_flops

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        return elements(x.spatial)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.LayerNormalization(epsilon=self.epsilon, scale=self.scale, center=self.center)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        return _last_axis(trace, out, x)


class RmsNorm(Op, name="rms_norm"):
    """Root mean square normalisation over the last axis (Zhang and Sennrich 2019)."""

    normalizes = True
    is_equivariant = True
    keeps_zero = True

    epsilon: Epsilon = 1e-6
    """Added to the mean square."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        return normalized(x, "rms_norm")

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("scale", (known_channels(x, "rms_norm"),), reads=0),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return 4 * x.size

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        return elements(x.spatial)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.normalization import RootMeanSquareNormalization

        return RootMeanSquareNormalization(epsilon=self.epsilon)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.RMSNormalization(epsilon=self.epsilon)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        return _last_axis(trace, out, x)


class Lrn(Op, name="lrn", main="size"):
    """Local response normalisation across channels: x / (k + alpha · sum of squares of ``size`` neighbours) ** beta.

    The defaults are Krizhevsky et al. 2012, §3.3: k is 2 and alpha is not divided by the size. Caffe's and PyTorch's
    layers divide it and start from k 1: ``lrn: {k: 1, divide: true}``.
    """

    convention = "channelwise"
    is_equivariant = True

    size: Annotated[int, Field(gt=0, le=255)] = 5
    """Neighbouring channels in a sum, an odd number; those beyond the border are left out."""
    alpha: Annotated[float, Field(ge=0)] = 1e-4
    """Weight of the sum."""
    beta: float = 0.75
    """Exponent."""
    k: Annotated[float, Field(gt=0)] = 2.0
    """Added to the weighted sum."""
    divide: bool = False
    """Divide alpha by the size."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        if self.size % 2 == 0:
            raise OpError(f"lrn: size must be odd, got {self.size}", argument="size")
        return normalized(x, "lrn")

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return (self.size + 3) * x.size

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        return x.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.normalization import LocalResponseNormalization

        alpha = self.alpha / self.size if self.divide else self.alpha
        return LocalResponseNormalization(size=self.size, alpha=alpha, beta=self.beta, k=self.k)


def normalized(x: TensorSpec, op: str) -> TensorSpec:
    floating(x, op)
    known_channels(x, op)
    return TensorSpec(x.shape)


def _last_axis(trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
    """PyTorch normalises last axes only; whether an image's were moved there and back is not known."""
    if x.rank == 2:
        x.axes.pin("last")
    return trace.undecided(out, x.order) if x.axes.side != "last" else trace.known(out, "last", x.order)


def factor_and_offset(x: TensorSpec, scale: bool, center: bool) -> tuple[WeightSpec, ...]:
    shape = (known_channels(x, "normalisation"),)
    return tuple(WeightSpec(name, shape, reads=0) for name, wanted in (("gamma", scale), ("beta", center)) if wanted)
