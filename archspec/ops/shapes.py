"""Shape arithmetic that the ops share: windows, axes, broadcasting. Functions on sizes, nothing else."""

from __future__ import annotations

from typing import Any, TypeVar

from archspec.ir.tensors import Size, TensorSpec, elements
from archspec.ops.errors import OpError
from archspec.ops.meeting import brought_together

T = TypeVar("T")

LIMIT_SIZE = 2**20
LIMIT_ELEMENTS = 2**40


def spatial_rank(x: TensorSpec, op: str) -> int:
    """Number of spatial axes of a channels-last input: 1, 2 or 3. Raises OpError for other ranks."""
    if not 2 <= x.rank <= 4:
        raise OpError(
            f"{op} needs an input with 1 to 3 spatial axes and channels, got {x}",
            help="pools that end in one value keep the axes with keep: true; else reshape first"
            if x.rank == 1
            else None,
        )
    return x.rank - 1


def known_channels(x: TensorSpec, op: str) -> int:
    """The input's channels. Raises OpError if they are open: weights depend on them."""
    if not x.shape or x.shape[-1] is None:
        raise OpError(f"{op} needs a known number of channels, got {x}")
    return x.shape[-1]


def floating(x: TensorSpec, op: str) -> None:
    """Raises OpError if the input holds integers or truth values, which no kernel takes."""
    if "float" not in x.dtype:
        raise OpError(f"{op} needs floating-point numbers, got {x.dtype}")


def exact(x: TensorSpec) -> dict[str, str]:
    """Keras's argument for a layer that hands integers and truth values on; unless told it calls them float32."""
    return {} if "float" in x.dtype else {"dtype": x.dtype}


def per_axis(value: T | tuple[T, ...], rank: int, argument: str) -> tuple[T, ...]:
    """One value for each of ``rank`` axes. Raises OpError if a list has another length."""
    if not isinstance(value, tuple):
        return (value,) * rank
    if len(value) != rank:
        help = f"one for each axis: [{', '.join(map(str, (*value, *value[-1:] * rank)[:rank]))}], or one for all"
        raise OpError(f"{argument} has {len(value)} values for {rank} spatial axes", argument=argument, help=help)
    return value


def explicit_padding(padding: int | tuple[tuple[int, int], ...], rank: int) -> tuple[tuple[int, int], ...]:
    """Integer padding as (before, after) per axis."""
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    return per_axis(padding, rank, "padding")


def window(
    size: Size,
    kernel: int,
    stride: int,
    padding: str | tuple[int, int],
    dilation: int = 1,
    *,
    ceil: bool = False,
) -> Size:
    """Positions of a sliding window along one axis (None stays None).

    ``same`` is ⌈size / stride⌉. With ``ceil`` a last partial window counts if it starts inside the input or its left
    padding (PyTorch's rule). Raises OpError where not one window fits.
    """
    if size is None:
        return None
    if padding == "same":
        return -(-size // stride)
    before, after = (0, 0) if isinstance(padding, str) else padding
    span = dilation * (kernel - 1) + 1
    room = size + before + after - span
    if room < 0 and not (ceil and room > -stride):
        whole = size + before + after
        help = "padding: same, or a smaller window" if whole < 1 else f"a window of at most {whole}, or padding: same"
        raise OpError(f"a window of {span} does not fit into {whole}", argument="kernel", help=help)
    if not ceil:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + before else count


def windows(
    x: TensorSpec,
    op: str,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: str | int | tuple[tuple[int, int], ...],
    dilation: int | tuple[int, ...] = 1,
    *,
    ceil: bool = False,
    kernel_name: str = "kernel",
) -> tuple[Size, ...]:
    """``window`` over every spatial axis of ``x``."""
    rank = spatial_rank(x, op)
    kernels = per_axis(kernel, rank, kernel_name)
    strides = per_axis(stride, rank, "stride")
    dilations = per_axis(dilation, rank, "dilation")
    sides: Any
    sides = (padding,) * rank if isinstance(padding, str) else explicit_padding(padding, rank)
    out = []
    for size, k, s, p, d in zip(x.spatial, kernels, strides, sides, dilations, strict=True):
        try:
            out.append(window(size, k, s, p, d, ceil=ceil))
        except OpError as error:
            raise OpError(f"{op}: {error.message} (input {x})", argument=kernel_name, help=error.help) from None
    return tuple(out)


def sides_of(
    x: TensorSpec, sizes: tuple[int | None, ...], kernel: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[tuple[int, int], ...]:
    """Padding as zeros before and after each axis of known size."""
    rank = x.rank - 1
    if padding == "valid":
        return ((0, 0),) * rank
    if padding != "same":
        return explicit_padding(padding, rank)
    named = ((kernel, "kernel"), (stride, "stride"), (dilation, "dilation"))
    axes = zip(x.spatial, sizes, *(per_axis(value, rank, name) for value, name in named), strict=True)
    totals = [max(((o or 0) - 1) * s + d * (k - 1) + 1 - (n or 0), 0) for n, o, k, s, d in axes]
    return tuple((total // 2, total - total // 2) for total in totals)


def refuse_dilated_stride(stride: Any, dilation: Any, op: str) -> None:
    """Keras convolves with a stride or with a dilation, not with both."""
    if (stride if isinstance(stride, int) else max(stride)) > 1 and (
        dilation if isinstance(dilation, int) else max(dilation)
    ) > 1:
        raise OpError(f"{op} takes a stride or a dilation above 1, not both", argument="dilation")


def taps_in_bounds(size: int, made: int, kernel: int, stride: int, dilation: int, before: int) -> int:
    """Along one axis of ``size``: how many taps of all ``made`` windows do not fall on padding, ``before`` of which
    lies at the start."""
    taps = 0
    for j in range(kernel):
        start = before - j * dilation
        taps += max(0, min(made - 1, (size - 1 + start) // stride) - max(0, -(-start // stride)) + 1)
    return taps


def window_places(
    x: TensorSpec, made: tuple[Size, ...], kernel: object, stride: object, padding: object, dilation: object = 1
) -> int:
    """Places of all windows over the spatial axes, of which there are ``made`` along each, that do not fall on padding.
    Raises UnknownSize."""
    rank, places = x.rank - 1, 1
    sides = sides_of(x, made, kernel, stride, padding, dilation)
    named = (("kernel", kernel), ("stride", stride), ("dilation", dilation))
    kernels, strides, dilations = (per_axis(value, rank, name) for name, value in named)
    for n, o, k, s, d, (before, _) in zip(x.spatial, made, kernels, strides, dilations, sides, strict=True):
        places *= taps_in_bounds(elements((n,)), elements((o,)), k, s, d, before)
    return places


def broadcast(shapes: list[tuple[Size, ...]], op: str) -> tuple[Size, ...]:
    """NumPy broadcasting from the last axis; an open size stays open, as in Keras. Raises OpError if it fails."""
    rank = max(len(s) for s in shapes)
    out: list[Size] = []
    for axis in range(-rank, 0):
        sizes = {s[axis] for s in shapes if len(s) >= -axis} - {1}
        known = sizes - {None}
        if len(known) > 1:
            names = " and ".join(str(TensorSpec(s)) for s in shapes)
            a, b = _apart(shapes)
            help = brought_together(a, b, are_channels_free=False)
            raise OpError(f"cannot {op} {names}: sizes must match or be 1", help=help)
        out.append(None if None in sizes else known.pop() if known else 1)
    return tuple(out)


def _apart(shapes: list[tuple[Size, ...]]) -> tuple[TensorSpec, TensorSpec]:
    """The first shape, and the first other that does not broadcast with it; else the first two that differ."""
    first = shapes[0]
    for other in shapes[1:]:
        if any(m != n and None not in (m, n) and 1 not in (m, n) for m, n in zip(first[::-1], other[::-1])):  # noqa: B905
            return TensorSpec(first), TensorSpec(other)
    return TensorSpec(shapes[-2]), TensorSpec(shapes[-1])


def normalize_axis(axis: int, x: TensorSpec, op: str) -> int:
    """A non-negative axis of ``x`` (the batch axis is not counted). Raises OpError if there is none such."""
    if not -x.rank <= axis < x.rank:
        help = f"the batch is not counted: 0 to {x.rank - 1}, or -1 for the last" if x.rank else None
        raise OpError(f"{op}: axis {axis} does not exist in {x}", help=help, argument="axis")
    return axis % x.rank


def normalize_axes(axes: tuple[int, ...], x: TensorSpec, op: str) -> list[int]:
    """``normalize_axis`` of several. Raises OpError if two are the same."""
    found = [normalize_axis(axis, x, op) for axis in axes]
    if len(set(found)) != len(found):
        raise OpError(f"{op}: {list(axes)} names an axis of {x} twice", argument="axis")
    return found


def new_axis(axis: int, x: TensorSpec, op: str) -> int:
    """Before which axis of ``x`` a further one stands that is ``axis`` in the output. Raises OpError."""
    return normalize_axis(axis, TensorSpec((*x.shape, 1)), op)


def vectors(x: TensorSpec, axis: int) -> int:
    """Number of vectors along a non-negative axis. Raises UnknownSize."""
    return elements(x.shape[:axis] + x.shape[axis + 1 :])


__all__ = [
    "broadcast",
    "elements",
    "exact",
    "explicit_padding",
    "floating",
    "known_channels",
    "new_axis",
    "normalize_axes",
    "normalize_axis",
    "per_axis",
    "refuse_dilated_stride",
    "sides_of",
    "spatial_rank",
    "taps_in_bounds",
    "vectors",
    "window",
    "window_places",
    "windows",
]
