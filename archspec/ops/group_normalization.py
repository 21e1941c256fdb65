"""Normalisation of each sample by itself, over its positions and some of its channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.arguments import Epsilon, PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.masks import of_steps
from archspec.ops.meeting import divisors_of
from archspec.ops.normalization import factor_and_offset, normalized, normalizing_flops
from archspec.ops.shapes import known_channels

if TYPE_CHECKING:
    import keras


class GroupNorm(Op, name="group_norm", main="groups"):
    """Group normalisation: per sample, over all positions and the channels of a group (Wu and He 2018)."""

    convention = "channelwise"
    is_equivariant = True
    keeps_zero = True

    groups: PositiveInt = 32
    """Groups of channels; divides the channels."""
    epsilon: Epsilon = 1e-3
    """Added to the variance."""
    scale: bool = True
    """Learn a factor per channel."""
    center: bool = True
    """Learn an offset per channel."""

    masked = of_steps

    def infer(self, x: TensorSpec) -> TensorSpec:
        if (channels := known_channels(x, "group_norm")) % self.groups:
            message = f"group_norm: {self.groups} groups do not divide {channels} channels"
            raise OpError(message, argument="groups", help=divisors_of(channels, "channels"))
        return normalized(x, "group_norm")

    def is_constant(self, x: TensorSpec) -> bool:
        return x.channels == self.groups and set(x.spatial) <= {1}

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return factor_and_offset(x, self.scale, self.center)

    flops = normalizing_flops

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        return self.groups

    def lower(self, x: TensorSpec) -> keras.Layer:
        return _grouped(self.groups, self, x)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        return _grouped(self.groups, self, x, is_unmasked=True) if x.rank == 2 else None


class InstanceNorm(Op, name="instance_norm"):
    """Instance normalisation: per sample and channel, over all positions (Ulyanov et al. 2016). As in PyTorch it learns
    nothing unless asked to."""

    convention = "image"
    centers_channels = True
    is_equivariant = True
    keeps_zero = True

    epsilon: Epsilon = 1e-5
    """Added to the (biased) variance."""
    scale: bool = False
    """Learn a factor per channel."""
    center: bool = False
    """Learn an offset per channel."""

    masked = of_steps

    def infer(self, x: TensorSpec) -> TensorSpec:
        if x.rank < 2:
            raise OpError(f"instance_norm needs spatial axes, got {x}")
        return normalized(x, "instance_norm")

    def is_constant(self, x: TensorSpec) -> bool:
        return set(x.spatial) == {1}

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return factor_and_offset(x, self.scale, self.center)

    flops = normalizing_flops

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """channels"""
        return known_channels(x, "instance_norm")

    def lower(self, x: TensorSpec) -> keras.Layer:
        return _grouped(-1, self, x)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        return _grouped(-1, self, x, is_unmasked=True) if x.rank == 2 else None


def _grouped(groups: int, op: GroupNorm | InstanceNorm, x: TensorSpec, *, is_unmasked: bool = False) -> keras.Layer:
    """Keras's layer; over (time, channels) one that knows of masks."""
    import keras

    kind = keras.layers.GroupNormalization
    if x.rank == 2 and not is_unmasked:
        from archspec.layers.normalization import MaskedGroupNormalization as kind
    return kind(groups=groups, epsilon=op.epsilon, scale=op.scale, center=op.center)
