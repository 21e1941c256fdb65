"""Statistics of normalisation whose derivative can be differentiated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.layers.tensor import Tensor


_are_whole: ContextVar[bool] = ContextVar("_are_whole", default=False)


@contextmanager
def differentiable_twice() -> Iterator[None]:
    """Let statistics of normalisation be differentiated more than once, in this thread.

    TensorFlow's own moments take the mean within the variance for a constant, which is right for the first derivative
    alone. All of Keras's normalisations use them.
    """
    _install()
    token = _are_whole.set(True)
    try:
        yield
    finally:
        _are_whole.reset(token)


@cache
def _install() -> None:
    """Put a function in the place of ``tf.nn.moments``, for good: it is TensorFlow's own for whoever did not ask for
    another, other threads included."""
    import tensorflow as tf

    usual = tf.nn.moments

    def moments(
        x: Tensor, axes: object, shift: Tensor | None = None, keepdims: bool = False, name: object = None
    ) -> tuple[Any, Any]:
        if not _are_whole.get():
            return usual(x, axes, shift, keepdims, name)  # type: ignore[no-any-return]
        mean = tf.reduce_mean(x, axes, keepdims=True)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axes, keepdims=keepdims)
        return mean if keepdims else tf.squeeze(mean, axes), variance

    tf.nn.moments = moments
