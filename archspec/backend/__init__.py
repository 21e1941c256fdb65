"""Graph → keras.Model, and weights in and out. Keras is imported when it is needed, not with this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.backend.build import BuildError, compile
    from archspec.backend.installation import MissingExtra

_HOMES = {"BuildError": "build", "MissingExtra": "installation", "compile": "build"}

__all__ = ["BuildError", "MissingExtra", "compile"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'archspec.backend' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"archspec.backend.{_HOMES[name]}"), name)
