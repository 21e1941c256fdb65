"""Callbacks that may fail without the training: a full disk, a folder that went away, a service that is down."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import does_nothing

if TYPE_CHECKING:
    import keras


def silent_after(
    errors: tuple[type[Exception], ...], callback: keras.callbacks.Callback, tell: Callable[[Exception], None]
) -> keras.callbacks.Callback:
    """The callback, which after the first of these errors, of which ``tell`` hears, is not asked again."""
    failed: list[Exception] = []

    def guard(hook: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if failed:
                return None
            try:
                return hook(*args, **kwargs)
            except errors as error:
                failed.append(error)
                tell(error)
                return None

        return call

    for name in dir(callback):
        is_called = name.startswith("on_") or name in ("set_model", "set_params")
        if is_called and not does_nothing(getattr(callback, name)):
            setattr(callback, name, guard(getattr(callback, name)))
    return callback
