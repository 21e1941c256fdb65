"""Layers that normalise, pool, move or count: what they have of weights is one for each channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.errors import OpError
from archspec.ops.keras_rules.call import Call, one_size, same_shape, spatial, window_sizes


def normalized(call: Call) -> TensorSpec:
    norm_sizes(call)
    return same_shape(call)


def norm_sizes(call: Call) -> tuple[int, ...]:
    return tuple(call.known(axis) for axis in sorted(call.axes()))


def norm_weights(call: Call) -> tuple[WeightSpec, ...]:
    size = norm_sizes(call)
    named = {"gamma": call["scale"], "beta": call["center"]}
    return tuple(WeightSpec(name, size) for name, is_there in named.items() if is_there)


def batch_norm_weights(call: Call) -> tuple[WeightSpec, ...]:
    size = norm_sizes(call)
    moving = (WeightSpec(name, size, trainable=False) for name in ("moving_mean", "moving_variance"))
    return (*norm_weights(call), *moving)


def group_norm(call: Call) -> TensorSpec:
    (size,), groups = norm_sizes(call), call["groups"]
    if groups != -1 and (groups < 1 or size % groups):
        raise OpError(f"{call.layer}: {size} channels do not divide into {groups} groups", argument="groups")
    return same_shape(call)


def rms_norm_weights(call: Call) -> tuple[WeightSpec, ...]:
    return (WeightSpec("scale", norm_sizes(call)),)


def prelu_weights(call: Call) -> tuple[WeightSpec, ...]:
    shared = () if call["shared_axes"] is None else call.axes("shared_axes")
    return (WeightSpec("alpha", tuple(1 if i in shared else call.known(i) for i in range(call.x.rank))),)


def prelu(call: Call) -> TensorSpec:
    prelu_weights(call)
    return same_shape(call)


def along_axis(call: Call) -> TensorSpec:
    """Keras would take the batch for an axis, and so mix examples."""
    call.axes()
    return same_shape(call)


def rescaled(call: Call) -> TensorSpec:
    """Factors and offsets are one, or one for each channel."""
    for name in ("scale", "offset"):
        if isinstance(call[name], tuple) and len(call[name]) not in (1, call.x.channels):
            message = f"{call.layer}: {name} has {len(call[name])} numbers for the channels of {call.x}"
            raise OpError(message, argument=name, help="one number, or one for each channel")
    return same_shape(call)


def listed_sizes(name: str) -> Callable[[Call], Mapping[str, Any]]:
    """The argument as the list that Keras wants, where it may be one number here."""
    return lambda call: {name: call[name] if isinstance(call[name], tuple) else (call[name],)}


def pool(call: Call) -> TensorSpec:
    return spatial(call, window_sizes(call, "pool_size", call.ranked(), call.x.spatial))


def global_pool(call: Call) -> TensorSpec:
    rank = call.ranked()
    return TensorSpec((*(1 for _ in range(rank if call["keepdims"] else 0)), call.x.channels), call.x.dtype)


def adaptive_pool(call: Call) -> TensorSpec:
    return spatial(call, call.positive("output_size", call.ranked()))


def sides(call: Call, name: str) -> tuple[tuple[int, int], ...]:
    """Before and after each axis, out of an integer, one for each axis, or a pair for each."""
    rank, value = call.ranked(), call[name]
    if rank == 1 and isinstance(value, tuple) and len(value) == 2:
        value = (value,)
    pairs = tuple(
        v if isinstance(v, tuple) else (v, v) for v in (value if isinstance(value, tuple) else (value,) * rank)
    )
    if len(pairs) != rank or any(len(p) != 2 or any(not isinstance(n, int) or n < 0 for n in p) for p in pairs):
        help = (
            "an integer, or [before, after]"
            if rank == 1
            else "an integer, one for each axis, or [before, after] for each"
        )
        raise OpError(f"{call.layer}: {name} does not fit {rank} spatial axes", argument=name, help=help)
    return pairs


def crop(call: Call) -> TensorSpec:
    pairs = zip(call.x.spatial, sides(call, "cropping"), strict=True)
    return spatial(call, tuple(None if n is None else n - sum(pair) for n, pair in pairs))


def pad(call: Call) -> TensorSpec:
    pairs = zip(call.x.spatial, sides(call, "padding"), strict=True)
    return spatial(call, tuple(None if n is None else n + sum(pair) for n, pair in pairs))


def upsample(call: Call) -> TensorSpec:
    factors = zip(call.x.spatial, call.positive("size", call.ranked()), strict=True)
    return spatial(call, tuple(None if n is None else n * factor for n, factor in factors))


def image(call: Call) -> TensorSpec:
    if call.x.rank != 3:
        raise OpError(f"{call.layer} needs an image of height, width and channels, got {call.x}")
    return same_shape(call)


def resized(call: Call) -> TensorSpec:
    return TensorSpec((one_size(call, "height"), one_size(call, "width"), image(call).channels))


def flatten(call: Call) -> TensorSpec:
    shape = call.x.shape
    return TensorSpec((None if None in shape else prod(n for n in shape if n is not None),), call.x.dtype)


def reshape(call: Call) -> TensorSpec:
    target = call["target_shape"] if isinstance(call["target_shape"], tuple) else (call["target_shape"],)
    known = prod(n for n in target if n != -1)
    if target.count(-1) > 1 or any(n < 1 and n != -1 for n in target):
        raise OpError(f"{call.layer}: one size may be -1, got {list(target)}", argument="target_shape")
    if None in call.x.shape:
        return TensorSpec(tuple(None if n == -1 else n for n in target), call.x.dtype)
    size = call.x.size
    if size % known or (-1 not in target and size != known):
        raise OpError(
            f"{call.layer}: {call.x} has {size} elements, not those of {list(target)}", argument="target_shape"
        )
    return TensorSpec(tuple(size // known if n == -1 else n for n in target), call.x.dtype)


def permute(call: Call) -> TensorSpec:
    dims = call["dims"] if isinstance(call["dims"], tuple) else (call["dims"],)
    if sorted(dims) != list(range(1, call.x.rank + 1)):
        help = f"each of 1 to {call.x.rank} once: Keras counts the batch as 0"
        raise OpError(f"{call.layer}: {list(dims)} is no order of the axes of {call.x}", argument="dims", help=help)
    return TensorSpec(tuple(call.x.shape[d - 1] for d in dims), call.x.dtype)


def repeat(call: Call) -> TensorSpec:
    if call.x.rank != 1:
        raise OpError(f"{call.layer} needs one vector, got {call.x}")
    return TensorSpec((one_size(call, "n"), *call.x.shape), call.x.dtype)


def bins(call: Call) -> TensorSpec:
    return TensorSpec(call.x.shape, "int32")


def categories(call: Call) -> TensorSpec:
    if not call.x.rank:
        raise OpError(f"{call.layer} needs at least one axis of categories, got {call.x}", help="expand_dims before it")
    *front, last = call.x.shape
    tokens = one_size(call, "num_tokens")
    if call["output_mode"] == "one_hot" and (last != 1 or not front):
        return TensorSpec((*call.x.shape, tokens))
    return TensorSpec((*front, tokens))


def stated(call: Call) -> TensorSpec:
    raise OpError(
        f"{call.layer}: which shape comes out is not known without Keras",
        argument="layer",
        help="add it, without the batch: shape: […]; compiling compares it with Keras's",
    )


def unlike(call: Call) -> tuple[WeightSpec, ...]:
    """The filters of a Fourier transform, which are weights that start as they are meant to stay."""
    length = call["fft_length"] or 2 ** (call["frame_length"] - 1).bit_length()
    shape = (call["frame_length"], 1, length // 2 + 1)
    parts = {"real_kernel": call["mode"] != "imag", "imag_kernel": call["mode"] != "real"}
    return tuple(WeightSpec(name, shape) for name, is_there in parts.items() if is_there)
