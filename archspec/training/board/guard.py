"""Callbacks that may fail without the training: a full disk, a folder that went away."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import does_nothing
from archspec.training.callbacks import LogFn

if TYPE_CHECKING:
    import keras


def ignoring_write_errors(callback: keras.callbacks.Callback, say: LogFn) -> keras.callbacks.Callback:
    """The callback, which falls silent when it cannot write."""
    import tensorflow as tf

    failed: list[Exception] = []

    def guard(hook: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if failed:
                return None
            try:
                return hook(*args, **kwargs)
            except (OSError, tf.errors.OpError) as error:
                failed.append(error)
                text = (str(error).splitlines() or [type(error).__name__])[0]
                say(f"TensorBoard's files could not be written: {text}; training goes on without")
                return None

        return call

    for name in dir(callback):
        hook = name.startswith("on_") or name == "set_model"
        if hook and not does_nothing(getattr(callback, name)):
            setattr(callback, name, guard(getattr(callback, name)))
    return callback
