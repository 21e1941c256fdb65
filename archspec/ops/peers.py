"""How PyTorch keeps the weights of ops (and Caffe, under PyTorch's names): rules that ops share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, slots=True)
class Form:
    """One weight elsewhere: the roles it is kept under, their shapes, and how they become the weight."""

    roles: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    convert: Callable[..., Any]


def shared(rule: Any) -> Any:
    """A function that several ops take as a rule of theirs. (Type checkers refuse it otherwise: it names its input.)"""
    return rule


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


def own_name(weight: WeightSpec) -> str:
    """A weight's name without that of the cell it belongs to."""
    return weight.name.rpartition("/")[2]


def taps_first(kernel: np.ndarray) -> np.ndarray:
    """(a, b, …) → (…, a, b)"""
    return kernel.transpose(*range(2, kernel.ndim), 0, 1)


def _stacked(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.stack([a, b])


def _swapped(v: np.ndarray) -> np.ndarray:
    import numpy as np

    reset, update, new = np.split(v, 3)
    return np.concatenate([update, reset, new])


def _matrix(name: str) -> str:
    return "weight_hh_l0" if name == "recurrent_kernel" else "weight_ih_l0"
