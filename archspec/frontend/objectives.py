"""Losses and metrics, as heads and training steps name them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from archspec.frontend.references import evaluated
from archspec.frontend.refusal import Refusal
from archspec.frontend.walk import Place
from archspec.frontend.yaml_source import Map, value_span
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.validation import refused


def declared(kind: type[Declaration], raw: Any, container: Any, key: Any, place: Place) -> Any:
    """A loss or metric: ``NAME`` or ``{NAME: args}``. Raises Refusal, Poisoned."""
    word = kind.__name__.lower()
    at = value_span(container, key)
    if isinstance(raw, Map) and len(raw) == 1:
        (name,) = raw
        args, inner = raw[name], raw
        at = raw.key_span(name)
    elif isinstance(raw, str):
        name, args, inner = raw, None, container
    else:
        raise Refusal("T01", f"{word} must be a name, or {{name: arguments}}, got {shown(raw)}", at)
    member = kind.find(name)
    if member is None:
        hint = did_you_mean(name, kind.names()) or f"known are {', '.join(kind.names())}"
        raise Refusal("N00", f"unknown {word} {shown(name)}", at, hint)
    value = evaluated(args, inner, name if inner is raw else key, place) if args is not None else {}
    if not isinstance(value, dict):
        if member.main is None:
            raise Refusal("P04", f"{name} takes no single value, got {shown(value)}", at)
        value = {member.main: value}
    try:
        return member.model_validate(value)
    except ValidationError as error:
        first = refused(error)[0]
        argument = str(first.path[0]) if first.path else ""
        span = args.value_span(argument) if isinstance(args, Map) and argument in args else at
        if first.kind == "unknown":
            near = did_you_mean(argument, member.model_fields)
            raise Refusal("P01", f"{name} has no parameter '{argument}'", span, near) from None
        if first.kind == "missing":
            raise Refusal("P02", f"{name} needs parameter '{argument}'", at) from None
        raise Refusal("T01", f"{name}.{argument} {first.message}", span, first.help) from None
