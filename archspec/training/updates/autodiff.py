"""What Keras has no name of its own for, though all that it computes with can do it. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from archspec.backend.seams.generators import Seed
from archspec.backend.seams.moments import differentiable_twice
from archspec.ir.training import Drawn, ValueSchedule


def gradient(function: Callable[[Any], tuple[Any, Any]], point: Any) -> tuple[Any, Any, Any]:
    """Of a ``function`` that gives a value and something else: the value at a point, the gradient there of the value's
    sum, of the point's shape, which can be differentiated once more, and what else it gave."""
    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            with tf.GradientTape() as tape, differentiable_twice():
                tape.watch(point)
                value, other = function(point)
            return value, tape.gradient(value, point), other
        case "jax":
            import jax

            value, pull, other = jax.vjp(function, point, has_aux=True)
            (found,) = pull(keras.ops.ones_like(value))
            return value, found, other
        case _:
            import torch

            with torch.enable_grad():
                at = point if point.requires_grad else point.detach().requires_grad_()
                value, other = function(at)
                (found,) = torch.autograd.grad(value.sum(), at, create_graph=True)
            return value, found, other


def number(number: float | ValueSchedule, rounds: Any) -> Any:
    """A number in the round that ``rounds`` came before, within a compiled step too."""
    if not isinstance(number, ValueSchedule):
        return keras.ops.convert_to_tensor(number, "float32")

    def value(n: Any) -> Any:
        import numpy as np

        return np.float32(number.at(int(n)))

    match keras.backend.backend():
        case "tensorflow":
            import tensorflow as tf

            found = tf.numpy_function(value, [rounds], tf.float32)
            found.set_shape(())
            return found
        case "jax":
            import jax

            scalar = jax.ShapeDtypeStruct((), "float32")  # type: ignore[no-untyped-call]
            return jax.pure_callback(value, scalar, rounds)
        case _:
            return keras.ops.convert_to_tensor(value(rounds))


def draw(drawn: Drawn, shape: tuple[Any, ...], seed: Seed) -> Any:
    """Values of a drawn input."""
    if drawn.kind == "normal":
        return keras.random.normal(shape, seed=seed)
    if drawn.kind == "uniform":
        return keras.random.uniform(shape, drawn.low, drawn.high, seed=seed)
    return keras.random.randint(shape, 0, drawn.classes, seed=seed)
