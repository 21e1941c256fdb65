"""Lists in run files, and declarations as run files write them."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator

from archspec.ir.declaration import Declaration

T = TypeVar("T")


def _listed(value: object) -> Any:
    return tuple(value) if isinstance(value, list) else value


Items = Annotated[tuple[T, ...], BeforeValidator(_listed)]
"""A list."""


def written(declaration: Declaration) -> Any:
    """What ``ir.reading`` takes for this declaration, in its shortest form: plain values for YAML."""
    args = {
        name: _plain(getattr(declaration, name))
        for name, field in type(declaration).model_fields.items()
        if field.is_required() or getattr(declaration, name) != field.default
    }
    if not args:
        return declaration.name
    main = declaration.main
    if main is not None and set(args) == {main} and not isinstance(args[main], dict):
        return {declaration.name: args[main]}
    return {declaration.name: args}


def _plain(value: object) -> Any:
    if isinstance(value, Declaration):
        return written(value)
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


_TWO = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(?:-|,|:|\.\.+|to|/|\s)\s*(\d{1,9}(?:\.\d{1,9})?)")


def two_numbers(value: object) -> str | None:
    """The list that a text of two numbers stands for: ``256-512``, ``0.5 2``."""
    found = re.fullmatch(
        r"\s*(\d{1,9}(?:\.\d{1,9})?)\s*(?:-|–|,|:|\.\.+|to|/|\s)\s*(\d{1,9}(?:\.\d{1,9})?)\s*", str(value)[:40]
    )
    if found is not None:
        return f"two numbers are a list: [{found[1]}, {found[2]}]"
    return (
        f"[{value}, {value}] for one only" if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    )
