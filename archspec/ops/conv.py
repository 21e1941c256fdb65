"""Convolutions over channels-last inputs; 1D, 2D or 3D follows the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.affine import Convolution
from archspec.ops.arguments import (
    PositiveInt,
    Sizes,
    Width,
)
from archspec.ops.base import Op, OpError
from archspec.ops.meeting import divisors_of
from archspec.ops.peers import for_each_element
from archspec.ops.reach import each_element
from archspec.ops.shapes import (
    explicit_padding,
    floating,
    known_channels,
    per_axis,
    refuse_dilated_stride,
    spatial_rank,
)

if TYPE_CHECKING:
    import keras


class Conv(Convolution, name="conv", main="filters"):
    """Convolution (cross-correlation, as everywhere in deep learning). A dilation needs stride 1."""

    convention = "convolution"
    kernel_writes = (-1,)
    is_equivariant = True

    filters: Width
    """Output channels."""
    kernel: Sizes = 1
    """Extent of the kernel, per axis."""
    groups: PositiveInt = 1
    """Channel groups that are convolved apart; divides input channels and filters."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "conv")
        channels = known_channels(x, "conv")
        for what, n in (("input channels", channels), ("filters", self.filters)):
            if n % self.groups:
                raise OpError(
                    f"conv: {self.groups} groups do not divide {n} {what}", argument="groups", help=divisors_of(n, what)
                )
        sizes = self._sizes(x)
        refuse_dilated_stride(self.stride, self.dilation, "conv")
        return self._activated(TensorSpec((*sizes, self.filters)))

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, spatial_rank(x, "conv"), "kernel")
        kernel = WeightSpec(
            "kernel",
            (*taps, known_channels(x, "conv") // self.groups, self.filters),
            reads=-2 if self.groups == 1 else None,
        )
        return self._with_bias(kernel, bias=WeightSpec("bias", (self.filters,)))

    def factors(self, rank: int) -> tuple[Op, Op] | None:
        if self.groups != 1:
            return None
        windows = {name: getattr(self, name) for name in ("kernel", "stride", "padding", "dilation")}
        own = {"activation": self.activation, "bias_initializer": self.bias_initializer}
        first = Conv(filters=rank, bias=False).model_copy(update=windows)
        return first, Conv(filters=self.filters, bias=self.bias).model_copy(update=own)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import conv

        rank = spatial_rank(x, "conv")
        return conv(
            rank=rank,
            filters=self.filters,
            kernel_size=self.kernel,
            strides=self.stride,
            padding=keras_padding(self.padding, rank),
            dilation_rate=self.dilation,
            groups=self.groups,
            **self._keras_output(),
        )


class Bias(Op, name="bias", main="per"):
    """Adds a learned bias."""

    saves = "nothing"
    convention = "elementwise"
    is_equivariant = True

    per: Literal["channel", "position", "element"] = "channel"
    """What has a bias of its own: each channel, each spatial position (its channels share it), or each element."""

    reach = each_element
    torch = for_each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "bias")
        shape = self._shape(x)
        if self.per == "position" and x.rank < 2:
            raise OpError(f"bias per position needs spatial axes, got {x}", argument="per")
        if None in shape:
            raise OpError(f"bias per {self.per} needs known sizes, got {x}", argument="per")
        return TensorSpec(x.shape)

    def is_positional(self) -> bool:
        return self.per != "channel"

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("bias", self._shape(x), reads=None if self.per == "position" else -1),)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import Bias

        return Bias(per=self.per)

    def _shape(self, x: TensorSpec) -> tuple[Any, ...]:
        return {"channel": x.shape[-1:], "position": (*x.spatial, 1), "element": x.shape}[self.per]


def keras_padding(padding: str | int | tuple[tuple[int, int], ...], rank: int) -> str | tuple[tuple[int, int], ...]:
    return padding if isinstance(padding, str) else explicit_padding(padding, rank)
