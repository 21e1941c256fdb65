"""Arguments of a call: what the text gives, with expressions evaluated and places kept."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

from archspec.frontend.expressions import ExpressionError, evaluate
from archspec.frontend.parameters import whole
from archspec.frontend.refusal import Poisoned, Refusal
from archspec.frontend.scope import POISON, Family, Result, described
from archspec.frontend.yaml_source import Map, Seq, value_span
from archspec.ir.diagnostics import Span, did_you_mean, shown
from archspec.ops.base import Op

if TYPE_CHECKING:
    from archspec.frontend.elaborate import Elaborator, Place
    from archspec.frontend.steps import Step

Arguments = dict[str, tuple[Any, Span]]
"""Values by name, each with its place; POISON for what could not be had."""


def arguments_of(
    elaborator: Elaborator,
    step: Step,
    place: Place,
    called: str,
    known: Container[str],
    *,
    main: str | None = None,
    extra: tuple[str, ...] = (),
) -> Arguments:
    """The arguments of a step's call: its own, then its file's ``defaults`` for that name.

    ``known`` are the names that may be given; the first is the main argument where ``main`` is None. Every mistake is
    reported; an argument that is wrong is POISON.
    """
    raw, out = step.args, {}
    names = list(known)  # type: ignore[call-overload]
    if main is None and not (isinstance(known, dict) and known and _is_op(known)):
        main = names[0] if names else None
    wrong = False
    if type(raw) is Map and not _is_value(raw, names, main):
        for name in raw:
            if name not in known and name not in extra:
                hint = did_you_mean(name, (*names, *extra)) or (f"it has {', '.join((*names, *extra))}" if names else "it takes none")
                elaborator.report("P01", f"{called} has no parameter '{name}'", raw.key_span(name), hint)
                wrong = True
                continue
            out[name] = (_attempted(elaborator, raw[name], raw, name, place), raw.value_span(name))
    elif raw is not None:
        assert step.given is not None
        at = step.given.value_span(called_key(step))
        if main is None:
            raise Refusal("P04", f"{called} takes no single value, got {shown(raw)}", at)
        out[main] = (_attempted(elaborator, raw, step.given, called_key(step), place), at)
    defaults = place.scope.frame.file.defaults.get(step.op)
    if defaults is not None:
        for name in defaults:
            if name not in known and name not in extra:
                hint = did_you_mean(name, names)
                elaborator.report("P01", f"{called} has no parameter '{name}'", defaults.key_span(name), hint)
                wrong = True
            elif name not in out:
                value = elaborator.attempt(lambda name=name: elaborator.file_value(defaults[name], defaults, name, place))  # type: ignore[misc]
                out[name] = (value, defaults.value_span(name))
    for name, (value, span) in out.items():
        if name in known and getattr(known[name], "type", None) == "block" and isinstance(value, str):  # type: ignore[index]
            out[name] = (elaborator.attempt(lambda v=value, s=span: elaborator.block_value(v, place, s)), span)  # type: ignore[misc]
    if wrong:
        raise Poisoned
    return out


def called_key(step: Step) -> str:
    """The key that the call's arguments stand under."""
    assert step.op is not None
    return step.op


def _is_op(known: Any) -> bool:
    return not all(hasattr(p, "accept") for p in known.values())


def _is_value(raw: Map, names: list[str], main: str | None) -> bool:
    """Whether a map is the main argument itself: a one-op map such as ``{leaky_relu: 0.1}``."""
    if main is None or len(raw) != 1:
        return False
    (name,) = raw
    return name not in names and Op.find(name) is not None


def _attempted(elaborator: Elaborator, raw: Any, container: Any, key: Any, place: Place) -> Any:
    kind = type(raw)
    if kind is int or kind is bool or kind is float:
        return raw
    if kind is str and raw[:1] != "=":
        return raw
    return elaborator.attempt(lambda: evaluated(raw, container, key, place))


def evaluated(raw: Any, container: Any, key: Any, place: Place) -> Any:
    """A raw value with its expressions evaluated, as plain lists and dicts. Raises Refusal, Poisoned."""
    if type(raw) is str and raw[:1] == "=":
        at = value_span(container, key)
        try:
            value = evaluate(raw[1:].strip(), lambda name: place.scope.lookup(name, place.prev))
        except ExpressionError as error:
            raise Refusal(error.code, error.message, at, error.help) from None
        if value is POISON:
            raise Poisoned
        if isinstance(value, (Result, Family)):
            raise Refusal("X06", f"an argument is a value, {raw} is {described(value)}", at, "results are taken with from:")
        return whole(value)
    if isinstance(raw, Seq):
        return [evaluated(item, raw, i, place) for i, item in enumerate(raw)]
    if isinstance(raw, Map):
        return {name: evaluated(raw[name], raw, name, place) for name in raw}
    return raw
