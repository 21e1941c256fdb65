"""How PyTorch keeps the weights of ops (and Caffe, under PyTorch's names): rules that ops share."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.ir.declaration import shared
from archspec.ir.tensors import WeightSpec

if TYPE_CHECKING:
    import numpy as np

PEERS = {
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""Keras's name → PyTorch's; all others are ``weight``."""


class Form(NamedTuple):
    """One weight elsewhere: the roles it is kept under, their shapes, and how they become the weight."""

    roles: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    convert: Callable[..., Any]
    of_halves: Callable[[Any], Any] | None = None
    """What a weight becomes that was made for a rotary embedding which turns channels half a head apart, as
    transformers' LLaMA does, where the op turns neighbours; None where no weight differs by that."""


def usual(self: Any, weight: WeightSpec) -> Form:
    """Kernels have their channels first, those that are written before those that are read; the rest is the same."""
    name, shape = own_name(weight), weight.shape
    if name == "kernel":
        # (…, a, b) here is (b, a, …) there, also for transposed convolutions and for matrices.
        *taps, a, b = shape
        return Form(("weight",), ((b, a, *taps),), lambda k: taps_first(k.swapaxes(0, 1)))
    return Form((PEERS.get(name, "weight"),), (shape,), lambda v: v)


@shared
def depthwise(self: Any, weight: WeightSpec) -> Form:
    """A kernel for each channel, as many outputs of one input after another."""
    if own_name(weight) != "kernel":
        return usual(self, weight)
    *taps, channels, multiplier = weight.shape
    return Form(
        ("weight",),
        ((channels * multiplier, 1, *taps),),
        lambda k: taps_first(k.reshape(channels, multiplier, *taps)),
    )


@shared
def for_each_element(self: Any, weight: WeightSpec) -> Form:
    """One for each element, position or channel of an image, the channels first."""
    shape = weight.shape
    if len(shape) <= 2:
        return usual(self, weight)
    role = PEERS.get(own_name(weight), "weight")
    return Form((role,), ((shape[-1], *shape[:-1]),), lambda v: v.transpose(*range(1, v.ndim), 0))


@shared
def gated(self: Any, weight: WeightSpec) -> Form:
    """Both keep the gates in the order input, forget, cell, output; PyTorch has two biases that are added."""
    name, shape = own_name(weight), weight.shape
    if name == "bias":
        return Form(("bias_ih_l0", "bias_hh_l0"), (shape, shape), lambda a, b: a + b)
    return Form((_matrix(name),), (shape[::-1],), lambda m: m.T)


@shared
def gated_by_reset(self: Any, weight: WeightSpec) -> Form:
    """Keras keeps the gates as update, reset, new; PyTorch as reset, update, new."""
    name, shape = own_name(weight), weight.shape
    if name == "bias":
        biases = ("bias_ih_l0", "bias_hh_l0")
        return Form(biases, (shape[1:], shape[1:]), lambda a, b: _stacked(_swapped(a), _swapped(b)))
    return Form((_matrix(name),), (shape[::-1],), lambda m: _swapped(m).T)


@shared
def by_heads(self: Any, weight: WeightSpec) -> Form:
    """Matrices in which one head lies after the other, under one name for each of the four projections."""
    part, _, kind = weight.name.partition("/")
    role = f"{'out' if part == 'attention_output' else part}.{'weight' if kind == 'kernel' else 'bias'}"
    shape = weight.shape
    if kind == "bias":
        form = Form((role,), ((prod(shape),),), lambda v: v.reshape(shape))
    else:
        read, written = (shape[:-1], shape[-1:]) if part == "attention_output" else (shape[:1], shape[1:])
        form = Form((role,), ((prod(written), prod(read)),), lambda m: m.T.reshape(shape))
    if getattr(self, "rotary", None) is None or part not in ("query", "key"):
        return form
    return form._replace(of_halves=_neighbours)


@shared
def by_parts(self: Any, weight: WeightSpec) -> Form:
    """Those of the modules within, under their names, and a table of biases."""
    part = weight.name.rpartition("/")[0]
    if not part:
        return Form(("relative_position_bias_table",), (weight.shape,), lambda v: v)
    form = usual(self, weight)
    return form._replace(roles=tuple(f"{part}.{role}" for role in form.roles))


def own_name(weight: WeightSpec) -> str:
    """A weight's name without that of the cell it belongs to."""
    return weight.name.rpartition("/")[2]


def lengths(axis: int) -> str:
    """The role of the lengths of a kernel with weight normalisation, which has one for each place along an axis."""
    return f"weight_g along {axis}"


def taps_first(kernel: np.ndarray) -> np.ndarray:
    """(a, b, …) → (…, a, b)"""
    return kernel.transpose(*range(2, kernel.ndim), 0, 1)


def _neighbours(weight: np.ndarray) -> np.ndarray:
    """(…, channels of a head) whose pairs are half a head apart → side by side."""
    *rest, channels = weight.shape
    return weight.reshape(*rest, 2, channels // 2).swapaxes(-1, -2).reshape(weight.shape)


def _stacked(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.stack([a, b])


def _swapped(v: np.ndarray) -> np.ndarray:
    import numpy as np

    reset, update, new = np.split(v, 3)
    return np.concatenate([update, reset, new])


def _matrix(name: str) -> str:
    return "weight_hh_l0" if name == "recurrent_kernel" else "weight_ih_l0"
