"""Arguments of a call: what the text gives, with expressions evaluated and places kept."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from archspec.frontend.references import block_value, evaluated
from archspec.frontend.refusal import Refusal
from archspec.frontend.scope import POISON
from archspec.frontend.steps import Step
from archspec.frontend.walk import Place, Walk, constants
from archspec.frontend.yaml_source import Map
from archspec.ir.diagnostics import Span, did_you_mean, shown
from archspec.ops.base import Op

Arguments = dict[str, tuple[Any, Span]]
"""Values by name, each with its place; POISON for what could not be had."""


def arguments_of(
    walk: Walk,
    step: Step,
    place: Place,
    called: str,
    known: Mapping[str, Any],
    main: str | None,
    *,
    extra: tuple[str, ...] = (),
    blocks: Container[str] = (),
) -> Arguments:
    """The arguments of a step's call: its own, then its file's ``defaults`` for what it calls.

    ``known`` and ``extra`` are the names that may be given, ``main`` the one that a single value sets, ``blocks`` those
    that hold a block. Every mistake is reported; where a name is not known, all that is not given is POISON. Raises
    Refusal where a single value is not taken.
    """
    raw, out = step.args, {}
    is_known = True
    if type(raw) is Map and not _is_value(raw, known, main):
        is_known = check_names(walk, called, raw, known, extra)
        for name in raw:
            out[name] = (_attempted(walk, raw[name], raw, name, place), raw.value_span(name))
    elif raw is not None:
        assert step.given is not None and step.op is not None
        at = step.given.value_span(step.op)
        if main is None:
            raise Refusal("P04", f"{called} takes no single value, got {shown(raw)}", at)
        out[main] = (_attempted(walk, raw, step.given, step.op, place), at)
    file = place.scope.frame.file
    if (defaults := file.defaults.get(step.op)) is not None:
        is_known = check_names(walk, called, defaults, known, extra) and is_known
        outside = constants(file)
        for name in defaults:
            if name not in out:
                out[name] = (_attempted(walk, defaults[name], defaults, name, outside), defaults.value_span(name))
    if not is_known:
        # Which of the others an unknown name was meant for is not known: nothing is said of those that are missing.
        out = {name: value for name, value in out.items() if name in known or name in extra}
        for name in known:
            out.setdefault(name, (POISON, step.span))
    if blocks:
        for name, (value, at) in out.items():
            if name in blocks and value is not POISON:
                out[name] = (walk.attempt(block_value, walk, value, place, at, f"{called}.{name} "), at)
    return out


def check_names(walk: Walk, called: str, given: Map, known: Mapping[str, Any], extra: tuple[str, ...]) -> bool:
    """Report the names that a call does not take; whether there are none."""
    is_known = True
    for name in given:
        if name not in known and name not in extra:
            names = (*known, *extra)
            hint = did_you_mean(name, names) or (f"it has {', '.join(names)}" if names else "it takes none")
            walk.report("P01", f"{called} has no parameter '{name}'", given.key_span(name), hint)
            is_known = False
    return is_known


def _is_value(raw: Map, known: Mapping[str, Any], main: str | None) -> bool:
    """Whether a map is the main argument itself: a one-op map such as ``{leaky_relu: 0.1}``."""
    if main is None or len(raw) != 1:
        return False
    (name,) = raw
    return name not in known and Op.find(name) is not None


def _attempted(walk: Walk, raw: Any, container: Any, key: Any, place: Place) -> Any:
    kind = type(raw)
    if kind is int or kind is bool or kind is float or (kind is str and raw[:1] != "="):
        return raw
    return walk.attempt(evaluated, raw, container, key, place)
