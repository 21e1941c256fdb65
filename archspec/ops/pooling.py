"""Pooling over channels-last inputs; 1D, 2D or 3D follows the input."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from archspec.ir.meaning import Meaning, Meanings
from archspec.ir.tensors import TensorSpec, elements
from archspec.ops.arguments import Padding, Sizes
from archspec.ops.base import Op, OpError
from archspec.ops.masks import consumed, refused
from archspec.ops.reach import EVERYTHING, POINT, Axes, tiled, windowed
from archspec.ops.shapes import explicit_padding, floating, per_axis, spatial_rank, windows

if TYPE_CHECKING:
    import keras

MAX_BINS = 1024
"""Most bins of an adaptive pool along one axis."""


class MaxPool(Op, name="max_pool", main="size"):
    """Maximum over windows. Padding never wins.

    ``{max_pool: {size: 2, indices: true}, as: pool}`` besides says where each maximum was: the steps behind it take the
    maxima, and ``unpool`` takes ``pool.indices``.
    """

    convention = "image"
    is_equivariant = True
    keeps_zero = True

    size: Sizes = 2
    """Extent of the window, per axis."""
    stride: Sizes | None = None
    """Step of the window, per axis; the size, if not given."""
    padding: Padding = "same"
    """Where windows may reach over the border; integers must be less than the size."""
    ceil: bool = False
    """Keep a last, partial window if it starts inside the input or its left padding (PyTorch's and Caffe's rule)."""
    indices: bool = False
    """Give a bundle by name: the maxima, ``x``, and where each was, ``indices``, counted along the rows of its
    channel's plane, y · width + x as in PyTorch; of equal ones the first. Sizes of the input have to be known."""

    masked = refused

    @property
    def result_names(self) -> tuple[str, ...]:
        return ("x", "indices") if self.indices else ()

    def infer(self, x: TensorSpec) -> TensorSpec | tuple[TensorSpec, ...]:
        out = _pooled(self, x, "max_pool")
        if not self.indices:
            return out
        if None in x.spatial:
            raise OpError(f"max_pool: indices need known sizes, got {x}", argument="indices")
        if prod(elements((n,)) for n in x.spatial) >= 2**31:
            raise OpError(f"max_pool: {x} has more places than int32 counts", argument="indices")
        return out, TensorSpec(out.shape, "int32")

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        return (None, Meaning("places", sizes=inputs[0].spatial)) if self.indices else ()

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.size, self.size if self.stride is None else self.stride, self.padding)

    def flops(self, out: TensorSpec | tuple[TensorSpec, ...], x: TensorSpec) -> int:
        """out.size · (positions of the window - 1)"""
        largest = out[0] if isinstance(out, tuple) else out
        return largest.size * (prod(per_axis(self.size, largest.rank - 1, "size")) - 1)

    def saved_within(self, out: TensorSpec | tuple[TensorSpec, ...], x: TensorSpec) -> tuple[TensorSpec, ...]:
        """where each maximum was"""
        return (out[1],) if isinstance(out, tuple) else (TensorSpec(out.shape, "int64"),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        if not self.indices:
            return _pooling(self, x, "max")
        from archspec.layers.pooling import IndexedMaxPooling

        rank = spatial_rank(x, self.name)
        sides = self.padding if isinstance(self.padding, str) else explicit_padding(self.padding, rank)
        stride = self.size if self.stride is None else self.stride
        return IndexedMaxPooling(
            per_axis(self.size, rank, "size"),
            per_axis(stride, rank, "stride"),
            sides,
            _pooled(self, x, self.name).spatial,
        )


class Unpool(Op, name="unpool", main="size"):
    """Each number put back where ``max_pool`` had it from, and zeros elsewhere (Zeiler et al. 2011; DeconvNet, SegNet).

    ``{unpool: 2, from: [prev, pool.indices]}``, where ``{max_pool: {size: 2, indices: true}, as: pool}``: size, stride
    and padding are the pool's. Numbers for one place, of windows that overlap, are added.
    """

    moves_data = True
    convention = "image"

    size: Sizes = 2
    """Extent of the pool's window, per axis."""
    stride: Sizes | None = None
    """Step of the pool's window, per axis; the size, if not given."""
    padding: Padding = "same"
    """Where the pool's windows reached over the border."""
    output_size: Sizes | None = None
    """Sizes of the pool's input, per axis, where they do not follow: n · stride (``same``) or (n - 1) · stride + size
    less the padding. A pool of 45 columns by 2 gives 23, which would become 46, and is refused."""

    masked = refused

    def infer(self, x: TensorSpec, indices: TensorSpec) -> TensorSpec:
        floating(x, "unpool")
        if not indices.dtype.startswith("int") or indices.shape != x.shape:
            raise OpError(
                f"unpool needs an index for each number of {x}, got {indices.dtype} {indices}",
                help="from: [prev, pool.indices], of {max_pool: {size: 2, indices: true}, as: pool}",
            )
        return TensorSpec((*self._sizes(x), x.channels))

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        plane = given[1]
        if plane is not None and plane.kind == "places":
            own = self._sizes(inputs[0])
            # Further rows move none of the places that were counted along those before.
            if own[1:] != plane.sizes[1:] or (self.output_size is not None and own < plane.sizes):
                before, after = TensorSpec(plane.sizes), TensorSpec(own)
                raise OpError(
                    f"unpool would misplace numbers: the indices are those of a plane {before}, and its own is {after}",
                    help=f"output_size: [{', '.join(map(str, plane.sizes))}]",
                )
        return ()

    def _sizes(self, x: TensorSpec) -> tuple[int, ...]:
        rank = spatial_rank(x, "unpool")
        if None in x.spatial:
            raise OpError(f"unpool needs known sizes, got {x}")
        sizes = per_axis(self.size, rank, "size")
        strides = sizes if self.stride is None else per_axis(self.stride, rank, "stride")
        sides = ((0, 0),) * rank if isinstance(self.padding, str) else explicit_padding(self.padding, rank)
        ends = strides if self.padding == "same" else sizes
        rule = [
            (elements((n,)) - 1) * s + end - sum(pair)
            for n, s, end, pair in zip(x.spatial, strides, ends, sides, strict=True)
        ]
        if self.output_size is None:
            if min(rule) < 1:
                raise OpError(f"unpool: padding {self.padding} leaves nothing of {x}", argument="padding")
            return tuple(rule)
        wanted = per_axis(self.output_size, rank, "output_size")
        for n, of_rule, s in zip(wanted, rule, strides, strict=True):
            # Without ``same`` a pool may leave rows out, or with ``ceil`` have a partial window.
            least, most = max(1, of_rule - s + 1), of_rule if self.padding == "same" else of_rule + s - 1
            if not least <= n <= most:
                raise OpError(
                    f"unpool: what is pooled to {x} has {least} to {most} positions along this axis, not {n}",
                    argument="output_size",
                )
        return tuple(wanted)

    def lower(self, x: TensorSpec, indices: TensorSpec) -> keras.Layer:
        from archspec.layers.pooling import Unpooling

        return Unpooling(self._sizes(x))


class AvgPool(Op, name="avg_pool", main="size"):
    """Mean over windows. ``same`` leaves padding out of the mean; integer padding counts, as in PyTorch."""

    convention = "image"
    hands_on = "means"
    is_equivariant = True

    size: Sizes = 2
    """Extent of the window, per axis."""
    stride: Sizes | None = None
    """Step of the window, per axis; the size, if not given."""
    padding: Padding = "same"
    """Where windows may reach over the border; integers must be less than the size."""
    ceil: bool = False
    """Keep a last, partial window if it starts inside the input or its left padding (PyTorch's and Caffe's rule). What
    of it lies beyond the padding is left out of the mean."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _pooled(self, x, "avg_pool")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return windowed(x, self.size, self.size if self.stride is None else self.stride, self.padding)

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """out.size · positions of the window"""
        return out.size * prod(per_axis(self.size, out.rank - 1, "size"))

    def lower(self, x: TensorSpec) -> keras.Layer:
        return _pooling(self, x, "average")


class GlobalAvgPool(Op, name="global_avg_pool"):
    """Mean over all positions; over time, of the steps that no mask leaves out (0 if there are none)."""

    saves = "nothing"
    convention = "image"
    hands_on = "means"

    keep: bool = False
    """Keep the spatial axes, as 1."""

    masked = consumed

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _global(self.keep, x, "global_avg_pool")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((*(EVERYTHING,) * (x.rank - 1), POINT) if self.keep else None,)

    def at_every_place(self, x: TensorSpec) -> Op | None:
        return AvgPool(size=tuple(n or 1 for n in x.spatial), stride=1, padding="valid")

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return x.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.pooling import global_pooling

        return global_pooling("average", spatial_rank(x, "global_avg_pool"), self.keep)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        from archspec.layers.pooling import global_pooling

        return global_pooling("average", 1, self.keep, is_unmasked=True) if x.rank == 2 else None


class GlobalMaxPool(Op, name="global_max_pool"):
    """Maximum over all positions; over time, of the steps that no mask leaves out (0 if there are none)."""

    convention = "image"

    keep: bool = False
    """Keep the spatial axes, as 1."""

    masked = consumed

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _global(self.keep, x, "global_max_pool")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((*(EVERYTHING,) * (x.rank - 1), POINT) if self.keep else None,)

    def at_every_place(self, x: TensorSpec) -> Op | None:
        return MaxPool(size=tuple(n or 1 for n in x.spatial), stride=1, padding="valid")

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return x.size - out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.pooling import global_pooling

        return global_pooling("max", spatial_rank(x, "global_max_pool"), self.keep)

    def lower_unmasked(self, x: TensorSpec) -> keras.Layer | None:
        from archspec.layers.pooling import global_pooling

        return global_pooling("max", 1, self.keep, is_unmasked=True) if x.rank == 2 else None


class AdaptiveAvgPool(Op, name="adaptive_avg_pool", main="size"):
    """Mean over n bins per axis, whatever the input's size; bin i spans ⌊i·H/n⌋ to ⌈(i + 1)·H/n⌉."""

    convention = "image"
    hands_on = "means"

    size: Sizes
    """Number of bins, and so the output's extent, per axis."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _adaptive(self.size, x, "adaptive_avg_pool")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return tiled(x, per_axis(self.size, x.rank - 1, "size"))

    def at_every_place(self, x: TensorSpec) -> Op | None:
        windows = [divmod(n or 0, m or 1) for n, m in zip(x.spatial, self.infer(x).spatial, strict=True)]
        if any(rest for _, rest in windows):
            raise OpError("its windows differ in size")
        size = tuple(n for n, _ in windows)
        is_whole = size == tuple(n or 1 for n in x.spatial)
        return AvgPool(size=size, stride=1 if is_whole else size, padding="valid")

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """positions in all windows · channels"""
        return _covered(out, x)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.pooling import adaptive_pooling

        return adaptive_pooling("average", per_axis(self.size, spatial_rank(x, "adaptive_avg_pool"), "size"), x.spatial)


class AdaptiveMaxPool(Op, name="adaptive_max_pool", main="size"):
    """Maximum over n bins per axis, whatever the input's size; bin i spans ⌊i·H/n⌋ to ⌈(i + 1)·H/n⌉."""

    convention = "image"

    size: Sizes
    """Number of bins, and so the output's extent, per axis."""

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _adaptive(self.size, x, "adaptive_max_pool")

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return tiled(x, per_axis(self.size, x.rank - 1, "size"))

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """positions in all windows · channels - out.size"""
        return _covered(out, x) - out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.pooling import adaptive_pooling

        return adaptive_pooling("max", per_axis(self.size, spatial_rank(x, "adaptive_max_pool"), "size"), x.spatial)


def mean_of_map() -> Op:
    """The op that makes one vector of a map: the mean over its places."""
    return GlobalAvgPool()


def _pooled(op: MaxPool | AvgPool, x: TensorSpec, name: str) -> TensorSpec:
    floating(x, name)
    rank = spatial_rank(x, name)
    sizes = per_axis(op.size, rank, "size")
    if isinstance(op.padding, str):
        if op.ceil and op.padding == "same":
            raise OpError(
                f"{name}: ceil has no meaning with padding same, which leaves no partial window",
                argument="ceil",
                help="padding: valid, or an integer",
            )
    else:
        for size, (before, after) in zip(sizes, explicit_padding(op.padding, rank), strict=True):
            if max(before, after) >= size:
                raise OpError(f"{name}: padding {max(before, after)} must be less than size {size}", argument="padding")
    stride = op.size if op.stride is None else op.stride
    out = windows(x, name, op.size, stride, op.padding, ceil=op.ceil, kernel_name="size")
    return TensorSpec((*out, x.channels))


def _pooling(op: MaxPool | AvgPool, x: TensorSpec, mode: str) -> keras.Layer:
    from archspec.layers.pooling import pooling

    rank = spatial_rank(x, op.name)
    sides = op.padding if isinstance(op.padding, str) else explicit_padding(op.padding, rank)
    stride = op.size if op.stride is None else op.stride
    return pooling(mode, per_axis(op.size, rank, "size"), per_axis(stride, rank, "stride"), sides, op.ceil)


def _global(keep: bool, x: TensorSpec, name: str) -> TensorSpec:
    floating(x, name)
    rank = spatial_rank(x, name)
    return TensorSpec((*(1,) * rank, x.channels) if keep else (x.channels,))


def _adaptive(size: int | tuple[int, ...], x: TensorSpec, name: str) -> TensorSpec:
    floating(x, name)
    bins = per_axis(size, spatial_rank(x, name), "size")
    if max(bins) > MAX_BINS:
        raise OpError(f"{name}: {max(bins)} bins are more than {MAX_BINS}", argument="size")
    return TensorSpec((*bins, x.channels))


def _covered(out: TensorSpec, x: TensorSpec) -> int:
    """Input elements that the bins read, overlaps counted."""
    read = elements(x.shape[-1:])
    for n, size in zip(out.spatial, x.spatial, strict=True):
        extent, bins = elements((size,)), elements((n,))
        read *= sum(-(-(i + 1) * extent // bins) - i * extent // bins for i in range(bins))
    return read
