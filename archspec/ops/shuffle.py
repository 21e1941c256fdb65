"""Channels dealt anew, and traded for space. Nothing here computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.meeting import divisors_of
from archspec.ops.reach import EVERYTHING, Axes, Reach, each_position, enlarged
from archspec.ops.shapes import known_channels

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace


class ChannelShuffle(Op, name="channel_shuffle", main="groups"):
    """Channels dealt across groups: of ``g`` groups of ``n``, channel ``i·n + j`` goes to ``j·g + i`` (Zhang et al.
    2017, ShuffleNet)."""

    moves_data = True
    convention = "channelwise"
    is_equivariant = True

    groups: PositiveInt
    """Groups of channels; divides the channels."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        channels = known_channels(x, "channel_shuffle")
        if channels % self.groups:
            message = f"channel_shuffle: {self.groups} groups do not divide {channels} channels"
            raise OpError(message, argument="groups", help=divisors_of(channels, "channels"))
        return x

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import ChannelShuffle

        return ChannelShuffle(self.groups)


class PixelShuffle(Op, name="pixel_shuffle", main="factor"):
    """Channels spread over squares of ``factor`` × ``factor`` positions (Shi et al. 2016).

    The input's channels are ordered (channel, row, column), as in PyTorch; TensorFlow's ``depth_to_space`` has (row,
    column, channel).
    """

    moves_data = True
    is_equivariant = True

    factor: PositiveInt
    """Side of the squares; its square divides the channels."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        channels, area = known_channels(x, "pixel_shuffle"), self.factor**2
        _two_axes(x, "pixel_shuffle")
        if channels % area:
            raise OpError(
                f"pixel_shuffle: the square of {self.factor} does not divide {channels} channels", argument="factor"
            )
        sizes = (None if n is None else n * self.factor for n in x.spatial)
        return TensorSpec((*sizes, channels // area), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return enlarged(x, (self.factor,) * (x.rank - 1))

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        return _of_images(trace, out, x)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import PixelShuffle

        return PixelShuffle(self.factor)


class PixelUnshuffle(Op, name="pixel_unshuffle", main="factor"):
    """Squares of ``factor`` × ``factor`` positions gathered into channels (channel, row, column): the inverse of
    ``pixel_shuffle``, also called space to depth."""

    moves_data = True
    is_equivariant = True

    factor: PositiveInt
    """Side of the squares; divides height and width."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        channels = known_channels(x, "pixel_unshuffle")
        _two_axes(x, "pixel_unshuffle")
        for n in x.spatial:
            if n is not None and n % self.factor:
                raise OpError(f"pixel_unshuffle: {self.factor} does not divide {n} (input {x})", argument="factor")
        sizes = (None if n is None else n // self.factor for n in x.spatial)
        return TensorSpec((*sizes, channels * self.factor**2), x.dtype)

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((*(Reach(0, self.factor - 1, self.factor),) * (x.rank - 1), EVERYTHING),)

    def elsewhere(self, trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
        return _of_images(trace, out, x)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.reshape import PixelUnshuffle

        return PixelUnshuffle(self.factor)


def _two_axes(x: TensorSpec, op: str) -> None:
    if x.rank != 3:
        raise OpError(f"{op} needs an input with height, width and channels, got {x}")


def _of_images(trace: OrderTrace, out: TensorSpec, x: Counterpart) -> Counterpart:
    """PyTorch's take and give images, channels first, in the order of channels that they have here."""
    trace.plain(x)
    return trace.convolution(out, x)
