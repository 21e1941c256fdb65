"""What is written for TensorBoard may fail without the training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.training.callbacks import LogFn
from archspec.training.guard import silent_after

if TYPE_CHECKING:
    import keras


def ignoring_write_errors(callback: keras.callbacks.Callback, say: LogFn) -> keras.callbacks.Callback:
    """The callback, which falls silent when it cannot write."""
    import tensorflow as tf

    def tell(error: Exception) -> None:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        say(f"TensorBoard's files could not be written: {text}; training goes on without")

    return silent_after((OSError, tf.errors.OpError), callback, tell)
