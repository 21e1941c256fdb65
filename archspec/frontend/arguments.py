"""Arguments of a call: what the text gives, with expressions evaluated and places kept."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from functools import partial
from typing import Any

from archspec.frontend.references import block_value, evaluated, given_place
from archspec.frontend.refusal import Refusal
from archspec.frontend.scope import POISON, Bundle, StepResult, Where, place_of
from archspec.frontend.steps import MODIFIERS, Step
from archspec.frontend.walk import Place, Walk, constants
from archspec.frontend.yaml_source import Map
from archspec.ir.aliases import alias, homonym, same, suggested
from archspec.ir.diagnostics import did_you_mean, listed, meant_by, plain, shown
from archspec.ir.patterns import Pattern
from archspec.ops.base import Op

ONE_WORD = {"act": "activation", "activation": "act"}
"""Two names of one argument: where a call takes the one, the other means it."""

Arguments = dict[str, tuple[Any, Where]]
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
            taken = name if name in known else meant(name, known)
            if taken in out:
                walk.report("Y02", f"{taken} and {name} are one argument", raw.key_span(name), f"leave out {name}")
                continue
            out[taken] = _attempted(walk, raw[name], raw, name, place)
    elif raw is not None:
        assert step.given is not None and step.op is not None
        at = step.given.value_span(step.op)
        if main is None:
            hint = _by_name(called, raw, known, extra)
            if isinstance(raw, str) and isinstance(place.scope.get(raw), (StepResult, Bundle)):
                is_merge = (op := Op.find(called)) is not None and op.is_merge
                hint = hint if is_merge else f"what a step is applied to is said by from: {{{called}, from: {raw}}}"
            raise Refusal("P04", f"{called} takes no single value, got {shown(raw)}", at, hint)
        out[main] = _attempted(walk, raw, step.given, step.op, place)
    file = place.scope.frame.file
    if (defaults := file.defaults.get(step.op)) is not None:
        is_known = check_names(walk, called, defaults, known, extra) and is_known
        outside = constants(file)
        for name in defaults:
            taken = name if name in known else meant(name, known)
            if taken not in out:
                out[taken] = _attempted(walk, defaults[name], defaults, name, outside)
    if not is_known:
        # Which of the others an unknown name was meant for is not known: nothing is said of those that are missing.
        out = {name: value for name, value in out.items() if name in known or name in extra}
        for name in known:
            out.setdefault(name, (POISON, step.span))
    if blocks:
        for name, (value, where) in out.items():
            if name in blocks and value is not POISON:
                value = walk.attempt(block_value, walk, value, place, place_of(where), f"{called}.{name} ")
                out[name] = (value, where)
    return out


def meant(name: str, known: Mapping[str, Any]) -> str:
    """The argument that a name means among those that are known."""
    other = ONE_WORD.get(name)
    return other if other is not None and other in known and name not in known else name


def check_names(walk: Walk, called: str, given: Map, known: Mapping[str, Any], extra: tuple[str, ...]) -> bool:
    """Report the names that a call does not take; whether there are none."""
    is_known = True
    for name in given:
        if name not in known and meant(name, known) not in known and name not in extra:
            is_known = False
            if _is_rest(name, given):
                continue
            names = (*known, *extra)
            from archspec.frontend.intended_words import intended_word

            hint = (
                _beside(called, name, given)
                or _multiplied(called, name)
                or _operands(called, given, given[name])
                or (_unnamed_value(name, names) if given[name] is None else None)
                or _in_braces(called, given)
                or (f"a parameter is written ={name}" if given[name] is None and walk.knows(name) else None)
                or intended_word(name, names.__contains__)
                or without_any(called, names)
                or _suggested(name, names)
                or (f"it has {listed(names)}" if names else "it takes none")
            )
            if (near := meant_by(hint)) is not None and near in given:
                hint = f"leave it out: {near} is given, too"
            walk.report("P01", f"{called} has no parameter '{name}'", given.key_span(name), hint)
    return is_known


def _unnamed_value(key: str, names: tuple[str, ...]) -> str | None:
    """What to write for ``{=vocab, =dim}``: an expression as the value of the argument of its name."""
    if key[:1] != "=":
        return None
    name = key[1:].strip()
    return f"arguments go by name: {name if name in names else 'NAME'}: {key}"


def without_any(called: str, names: tuple[str, ...]) -> str | None:
    """Where an op has no arguments, the one that has its name elsewhere: ``linear: {out_features: 10}``."""
    bounded = f"{called}6"
    if not names and Op.find(bounded) is not None:
        return f"it takes none; with a bound of 6 it is an op of its own, {bounded}, and clip: {{max: …}} sets any"
    other = None if names else homonym("op", called)
    return None if other is None else f"{called} takes none here; what is called so elsewhere is {other}"


def _suggested(name: str, names: tuple[str, ...]) -> str | None:
    """The argument that an unknown one may be. What the layers of other libraries have says nothing of a file's."""
    if "variant" not in names:
        return suggested("parameter", name, names)
    near = same("parameter", name, names)
    own = f"did you mean '{near}'?" if near else did_you_mean(name, names) or alias("family parameter", name)
    others = [n for n in names if n != "variant"]
    return own or f"a member of a family goes by variant: NAME; else it has {listed(others) or 'no parameters'}"


def _operands(called: str, given: Map, value: object) -> str | None:
    """What to do with operands of a merge that are given as an argument: ``concat: {inputs: [a, b]}``."""
    op = Op.find(called)
    if op is None or not op.is_merge or not isinstance(value, list) or len(value) < 2:
        return None
    if not all(isinstance(v, str) for v in value):
        return None
    if others := {name: plain(v) for name, v in given.items() if v is not value}:
        inner = ", ".join(f"{name}: {v}" for name, v in others.items())
        return f"operands stand beside the op: {{{called}: {{{inner}}}, from: {plain(value)}}}"
    return f"operands are the value: {called}: {plain(value)}"


def _in_braces(called: str, given: Map) -> str | None:
    """What to write for the operands of a merge in braces: ``add: {a, b}``."""
    op = Op.find(called)
    if op is None or not op.is_merge or any(value is not None for value in given.values()):
        return None
    operands = [*given] if len(given) > 1 else [*given, "prev"]
    return f"operands are a list: {called}: {plain(operands)}"


def _multiplied(called: str, name: str) -> str | None:
    """What to do with a number of channels, or of groups, for an op that works on each channel."""
    op = Op.find(called)
    if name == "groups" and op is not None and "multiplier" in op.model_fields:
        return "leave it out: each channel is a group of its own"
    if (
        name not in ("filters", "channels", "out_channels", "units")
        or op is None
        or "multiplier" not in op.model_fields
    ):
        return None
    if "filters" in op.model_fields:
        return None
    return f"it keeps the input's channels, multiplier times: leave {name} out, or say multiplier: 2"


def _is_rest(name: str, given: Map) -> bool:
    """Whether a key is the end of a value that a comma has cut: ``3)`` of ``{n: max(a, 3)}``."""
    values = list(given.values())
    before = values[: list(given).index(name)]
    is_end = given[name] is None and name.count(")") > name.count("(")
    return is_end and any(isinstance(v, str) and v.count("(") > v.count(")") for v in before)


def _beside(called: str, name: str, given: Map) -> str | None:
    """What to do with a modifier among the arguments."""
    if name not in MODIFIERS:
        return None
    rest = "" if len(given) == 1 else ": {…}"
    return f"{name} is a modifier and stands beside the op: {{{called}{rest}, {name}: {plain(given[name])}}}"


def _by_name(called: str, raw: object, known: Mapping[str, Any], extra: tuple[str, ...]) -> str | None:
    """How a value is given to what takes none alone."""
    op = Op.find(called)
    if isinstance(raw, bool):
        return f"write {called} alone" if raw else f"leave the step out, or write {{{called}, when: false}}"
    if op is not None and op.is_merge and isinstance(raw, str):
        words = [word for word in re.split(r"[\s,+&]+(?![^\[]*\])", raw) if word]
        operands = words if len(words) > 1 and all(_REFERENCE.fullmatch(word) for word in words) else [raw, "prev"]
        return f"operands are a list: {called}: {plain(operands)}"
    if isinstance(raw, (int, float)) and Op.find(f"{called}{raw}") is not None:
        return f"it is an op of its own: {called}{raw}"
    if type(raw) is int and op is not None and op.normalizes and "groups" not in known:
        return f"write {called} alone: the number of channels follows from the input"
    if "variant" in extra and isinstance(raw, str):
        return f"arguments go by name: {called}: {{variant: {plain(raw)}}}"
    if len(known) == 1:
        return f"arguments go by name: {called}: {{{next(iter(known))}: {plain(raw)}}}"
    if (
        isinstance(raw, list)
        and op is not None
        and 1 < len(raw) <= len(known)
        and not any(isinstance(item, (list, dict)) for item in raw)
    ):
        pairs = {name: plain(item) for name, item in zip(known, raw, strict=False)}
        return f"arguments go by name: {called}: {{{', '.join(f'{k}: {v}' for k, v in pairs.items())}}}"
    if known:
        return f"arguments go by name: it has {', '.join(known)}"
    if (other := homonym("op", called)) is not None:
        # PyTorch's have the sizes of both sides: of the input's, nothing is written.
        given = raw[-1] if isinstance(raw, list) and len(raw) == 2 else raw
        return f"write {called} alone: it has no arguments; with weights it is {other}: {plain(given)}"
    return f"write {called} alone: it has no arguments"


_REFERENCE = Pattern(r"[A-Za-z_]\w*(?:\[[^\[\]]{1,60}\])?(?:\.\w+)?", re.ASCII)


def _is_value(raw: Map, known: Mapping[str, Any], main: str | None) -> bool:
    """Whether a map is the main argument itself: a one-op map such as ``{leaky_relu: 0.1}``."""
    if main is None or len(raw) != 1:
        return False
    (name,) = raw
    return name not in known and Op.find(name) is not None and same("parameter", name, known) is None


def _attempted(walk: Walk, raw: Any, container: Any, key: Any, place: Place) -> tuple[Any, Where]:
    """A value and its place; of an expression that is a name, the place is found out where it is asked for."""
    at = container.value_span(key)
    kind = type(raw)
    if kind is int or kind is bool or kind is float or (kind is str and raw[:1] != "="):
        return raw, at
    where = partial(given_place, raw, at, place) if kind is str else at
    return walk.attempt(evaluated, raw, container, key, place), where
