"""Transposed convolution, by which maps grow."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.affine import Affine
from archspec.ops.arguments import (
    Offsets,
    Padding,
    Sizes,
    Width,
)
from archspec.ops.base import OpError
from archspec.ops.conv import keras_padding
from archspec.ops.masks import refused
from archspec.ops.reach import EVERYTHING, Axes, Reach, activated, whole
from archspec.ops.shapes import (
    explicit_padding,
    floating,
    known_channels,
    per_axis,
    refuse_dilated_stride,
    spatial_rank,
    taps_in_bounds,
)

if TYPE_CHECKING:
    import keras


class ConvTranspose(Affine, name="conv_transpose", main="filters"):
    """Transposed convolution, the gradient of a convolution: ``stride`` is the factor of enlargement.

    With span = dilation·(kernel - 1) + 1 the output has, per axis, n·stride (``same``), (n - 1)·stride + max(span,
    stride) (``valid``), or, for integer padding, (n - 1)·stride + span - before - after + output_padding as in PyTorch.
    """

    convention = "convolution"
    kernel_writes = (-2,)
    is_equivariant = True

    filters: Width
    """Output channels."""
    kernel: Sizes = 2
    """Extent of the kernel, per axis."""
    stride: Sizes = 2
    """Distance between the places where the kernel is laid down, per axis."""
    padding: Padding = "same"
    """What is cropped from the output's borders."""
    output_padding: Offsets | None = None
    """Rows added at the end; less than the stride. With ``same`` the output is (n - 1)·stride + span mod 2 + this, and
    with ``valid`` (n - 1)·stride + span + this, as in Keras."""
    dilation: Sizes = 1
    """Distance between the kernel's taps, per axis; needs stride 1."""
    trainable: bool = True
    """Learn it; else it stays as it starts or is loaded: ``kernel_initializer: bilinear`` then only resizes."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "conv_transpose")
        known_channels(x, "conv_transpose")
        rank = spatial_rank(x, "conv_transpose")
        kernels, strides = per_axis(self.kernel, rank, "kernel"), per_axis(self.stride, rank, "stride")
        dilations, extras = (
            per_axis(self.dilation, rank, "dilation"),
            per_axis(self.output_padding, rank, "output_padding"),
        )
        refuse_dilated_stride(self.stride, self.dilation, "conv_transpose")
        sides = (self.padding,) * rank if isinstance(self.padding, str) else explicit_padding(self.padding, rank)
        sizes = []
        for n, k, s, d, p, extra in zip(x.spatial, kernels, strides, dilations, sides, extras, strict=True):
            if extra is not None and extra >= s:
                raise OpError(f"output_padding {extra} must be less than stride {s}", argument="output_padding")
            rest = _transposed_rest(d * (k - 1) + 1, s, p, extra)
            size = None if n is None else (n - 1) * s + rest
            if size is not None and size < 1:
                raise OpError(f"conv_transpose: padding {self.padding} leaves nothing of {x}", argument="padding")
            sizes.append(size)
        return self._activated(TensorSpec((*sizes, self.filters)))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        from fractions import Fraction

        rank = x.rank - 1
        kernels, strides = per_axis(self.kernel, rank, "kernel"), per_axis(self.stride, rank, "stride")
        dilations = per_axis(self.dilation, rank, "dilation")
        spans = [d * (k - 1) for k, d in zip(kernels, dilations, strict=True)]
        cropped = self._cropped(rank)
        axes = tuple(
            whole(Reach(Fraction(span - cut, s), Fraction(cut, s), Fraction(1, s)))
            for span, cut, s in zip(spans, cropped, strides, strict=True)
        )
        return (activated((*axes, EVERYTHING), self.activation, x),)

    def _cropped(self, rank: int) -> list[int]:
        """What is cropped at the start of each axis."""
        if self.padding == "valid":
            return [0] * rank
        if not isinstance(self.padding, str):
            return [before for before, _ in explicit_padding(self.padding, rank)]
        named = (("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation))
        kernels, strides, dilations = (per_axis(value, rank, name) for name, value in named)
        extras = per_axis(self.output_padding, rank, "output_padding")
        spans = [d * (k - 1) + 1 for k, d in zip(kernels, dilations, strict=True)]
        rests = [_transposed_rest(n, s, "same", e) for n, s, e in zip(spans, strides, extras, strict=True)]
        return [max(span - rest, 0) // 2 for span, rest in zip(spans, rests, strict=True)]

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps = per_axis(self.kernel, spatial_rank(x, "conv_transpose"), "kernel")
        shape = (*taps, self.filters, known_channels(x, "conv_transpose"))
        kernel = WeightSpec("kernel", shape, self.trainable, reads=-1)
        return self._with_bias(kernel, bias=WeightSpec("bias", (self.filters,), self.trainable))

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """input positions · size of the kernel"""
        return elements(x.spatial) * prod(self.weights(x)[0].shape)

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        # The other way round: where the kernel is laid down from each input, what falls beside the output is cropped.
        rank, taps = x.rank - 1, 1
        dilations = per_axis(self.dilation, rank, "dilation")
        strides, kernels = per_axis(self.stride, rank, "stride"), per_axis(self.kernel, rank, "kernel")
        for n, o, k, s, d, cut in zip(
            x.spatial, out.spatial, kernels, strides, dilations, self._cropped(rank), strict=True
        ):
            taps *= taps_in_bounds(elements((o,)), elements((n,)), k, s, d, cut)
        return taps * prod(self.weights(x)[0].shape[rank:])

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.convolution import conv_transpose

        rank = spatial_rank(x, "conv_transpose")
        return conv_transpose(
            rank=rank,
            filters=self.filters,
            kernel_size=self.kernel,
            strides=self.stride,
            padding=keras_padding(self.padding, rank),
            output_padding=self.output_padding,
            dilation_rate=self.dilation,
            trainable=self.trainable,
            **self._keras_output(),
        )


def _transposed_rest(span: int, stride: int, padding: str | tuple[int, int], extra: int | None) -> int:
    """Output size of a transposed convolution less (input size - 1)·stride."""
    if padding == "valid":
        return max(span, stride) if extra is None else span + extra
    if padding == "same":
        if extra is None:
            return stride
        if span % 2 + extra == 0:
            raise OpError(
                f"a span of {span} with padding same needs output_padding of at least 1", argument="output_padding"
            )
        return span % 2 + extra
    return span - padding[0] - padding[1] + (extra or 0)  # type: ignore[operator]
