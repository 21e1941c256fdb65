"""What values, references and names mean at a place in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from archspec.frontend.arithmetic import ExpressionError
from archspec.frontend.definitions import definitions, unknown_help
from archspec.frontend.document import SHAPE_WORDS, worded
from archspec.frontend.expressions import UnknownFunction, UnknownName, evaluate
from archspec.frontend.naming import key_texts
from archspec.frontend.parameters import whole
from archspec.frontend.refusal import Poisoned, Refusal
from archspec.frontend.scope import NOTHING, POISON, Bundle, StepResult, described
from archspec.frontend.steps import Step
from archspec.frontend.walk import Callee, FileContext, Loop, Place, Walk
from archspec.frontend.yaml_source import Map, Seq, value_span, written_at
from archspec.ir.aliases import suggested
from archspec.ir.diagnostics import Span, shown
from archspec.ir.patterns import Pattern
from archspec.ops.base import Op

ONCE = "every name is given once"
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(.+)\])?\Z", re.ASCII)


def port_span(source: object, port: str) -> Span | None:
    """Where ``from`` names a port."""
    return source.key_span(port) if type(source) is Map and port in source else None


def number(raw: Any, container: Any, key: str, place: Place) -> float:
    """A number, such as a loss's weight. Raises Refusal, Poisoned."""
    value = evaluated(raw, container, key, place)
    if type(value) not in (int, float):
        message = f"{key} must be a number, got {shown(value)}"
        raise Refusal("T01", message, value_span(container, key), f"digits, as in {key}: 1")
    return float(value)


_OF_PARAMS = re.compile(r"(?:params|self|cfg|config|args|vars)\.([A-Za-z_]\w*)", re.ASCII)
"""A parameter as an attribute of what holds them elsewhere."""


def truth(raw: Any, container: Any, key: str, place: Place) -> bool:
    """A truth value, such as ``train_only``. Raises Refusal, Poisoned."""
    value = evaluated(raw, container, key, place)
    if type(value) is not bool:
        hint = "archspec uses YAML 1.2 booleans: true/false" if value in ("yes", "no", "on", "off") else None
        if type(raw) is str and raw[:1] == "=" and isinstance(value, (int, float, list)):
            hint = f"a comparison is true or false: {raw} {'!= []' if isinstance(value, list) else '> 0'}"
        elif type(raw) is str and (dotted := _OF_PARAMS.fullmatch(raw[:80])) is not None:
            hint = f"an expression starts with '=', and names stand alone: ={dotted[1]}"
        elif raw in ("training", "train", "inference", "test", "eval"):
            hint = "it is decided when the network is made; dropout and noise act in training alone by themselves"
        raise Refusal("T01", f"{key} must be true or false, got {shown(value)}", value_span(container, key), hint)
    return value


def flag(step: Step, place: Place) -> bool:
    """Whether a step is there; what follows from another error is not looked at twice."""
    try:
        return truth(step.when, step.given, "when", place)
    except Poisoned:
        return True


def given_to(step: Step, place: Place) -> Any:
    """What a step is applied to: a value, a list of values, or values by port."""
    raw = step.from_
    if raw is None:
        if step.given is not None and "from" in step.given:
            raise Refusal("S04", "from: names a result", step.modifier_span("from"))
        return place.prev
    at = step.given
    assert at is not None
    if type(raw) is Seq:
        return [reference(r, raw, i, place) for i, r in enumerate(raw)]
    if type(raw) is Map:
        return {port: reference(r, raw, port, place) for port, r in raw.items()}
    return reference(raw, at, "from", place)


def anchor_of(step: Step, place: Place, *, looped: bool) -> str | None:
    """The path of a step; None for one without a component of its own."""
    if step.name is not None:
        name, index = name_of(step, place)
        if index is None and (why := place.scope.conflict(name)):
            assert step.given is not None
            raise _taken(name, why, step.given.value_span("as"), place)
        return place.names.named(name, None if index is None else key_texts([index])[0])
    if step.op == "do" or (step.op == "residual" and not looped):
        return None
    assert step.op is not None
    return place.names.auto(step.op)


_ONLY_A_NAME = re.compile(r"=\s*([A-Za-z_]\w*)\s*\Z", re.ASCII)


@lru_cache(maxsize=1024)
def _only_a_name(text: str) -> str | None:
    match = _ONLY_A_NAME.match(text)
    return None if match is None or match[1] in ("True", "False", "None") else match[1]


def given_place(raw: object, at: Span, place: Place, loops: Sequence[Loop] = ()) -> Span:
    """The place of a value; where it is only a name, with the place that gave the name its value: a parameter's, or
    that of the values of one of the ``loops`` around it."""
    name = _only_a_name(raw) if type(raw) is str and raw[:1] == "=" else None
    if name is None:
        return at
    given = next((loop.places[name] for loop in reversed(loops) if name in loop.places), None)
    given = given or place.scope.given_at(name)
    return at if given is None else Span(at.source, at.line, at.column, at.length, given)


def evaluated(raw: Any, container: Any, key: Any, place: Place) -> Any:
    """A raw value with its expressions evaluated, as plain lists and dicts. Raises Refusal, Poisoned."""
    if type(raw) is str and raw[:1] == "=":
        lookup, prev, only = place.scope.lookup, place.prev, _only_a_name(raw)
        try:
            value = evaluate(raw[1:].strip(), lambda name: lookup(name, prev)) if only is None else lookup(only, prev)
        except ExpressionError as error:
            raise _refusal(error, value_span(container, key), place) from None
        if value is POISON:
            raise Poisoned
        if isinstance(value, (StepResult, Bundle)):
            at = value_span(container, key)
            raise Refusal(
                "X06", f"an argument is a value, {raw} is {described(value)}", at, "results are taken with from:"
            )
        return whole(value)
    if isinstance(raw, Seq):
        return [evaluated(item, raw, i, place) for i, item in enumerate(raw)]
    if isinstance(raw, Map):
        return {name: evaluated(raw[name], raw, name, place) for name in raw}
    return raw


def block_value(walk: Walk, value: Any, place: Place, at: Span, what: str = "") -> Any:
    """A block-typed argument: the block or op that its name means where it is written. ``what`` begins the message.

    Raises Refusal.
    """
    if isinstance(value, (Callee, type)):
        return value
    if not isinstance(value, str):
        raise Refusal("T01", f"{what}must be the name of a block or op, got {shown(value)}", at)
    held = place.scope.get(value)
    if isinstance(held, (Callee, type)):
        return held
    file: FileContext = place.scope.frame.file
    found = file.callees.get(value) or walk.prelude.callees.get(value) or Op.find(value)
    if not found:
        known = {*file.callees, *walk.prelude.callees, *Op.names()}
        raise Refusal("N00", f"unknown op or block {shown(value)}", at, suggested("op or block", value, known))
    return found


_INDEXED = Pattern(r"([A-Za-z_]\w*)\[(.{1,100})\]\Z", re.ASCII)


def _refusal(error: ExpressionError, at: Span, place: Place, ref: str | None = None) -> Refusal:
    """The refusal of an expression, or of a reference (``ref``), at its place."""
    if isinstance(error, UnknownFunction) and place.scope.get(error.name) is not NOTHING:
        element = f"{error.name}[{error.argument}]"
        is_number = isinstance(place.scope.get(error.name), (int, float))
        factor = error.argument if re.fullmatch(r"[\w.]+", error.argument) else f"({error.argument})"
        product = f"a product is written {error.name} * {factor}"
        index = f'"{element}"' if ref else element
        hint = product if is_number and not ref else f"an index has square brackets: {index}"
        return Refusal(error.code, f"'{error.name}' is no function", at, hint)
    if not isinstance(error, UnknownName):
        meant = _names_apart(ref) or _alone(error, ref, place)
        return Refusal(error.code, error.message, at, meant or error.help or _items(at))
    is_result = ref is not None and re.match(rf"\s*{re.escape(error.name)}\b", ref) is not None
    help = _first_turn(error.name, ref, at, place) if ref is not None else None
    help = help or unknown_help(error.name, place.scope, at, is_result=is_result)
    return Refusal(error.code, error.message, _within(at, error.name), help or error.help)


def _names_apart(ref: str | None) -> str | None:
    """What to write for a reference to several names without a comma, or to one in another language's form."""
    if ref is None:
        return None
    words = re.split(r"[\s+&|;]+", ref.strip()[:80])
    if len(words) > 1 and all(word.isidentifier() for word in words):
        return f"several are a list: [{', '.join(words)}]"
    if (index := _INDEX.fullmatch(ref.strip()[:80])) is not None:
        parts = index[2] or index[3] or index[4] or ""
        items = "".join(f"[{part.strip(' =')}]" for part in parts.split(","))
        return f'an index has square brackets of its own: "{index[1]}{items}"'
    found = re.fullmatch(r"[$%@&*^]\{?(\w+)\}?", ref.strip())
    return f"a name stands alone: {found[1]}" if found is not None else None


def _alone(error: ExpressionError, ref: str | None, place: Place) -> str | None:
    """What to write for ``down.skip[i]``, where the names within a loop or chain are seen without that of the loop."""
    found = Pattern(r"[A-Za-z_]\w*\.(([A-Za-z_]\w*)(?:\[.{1,60}\])?)").fullmatch(ref or "")
    if error.code != "N04" or found is None or not isinstance(place.scope.get(found[2]), (StepResult, Bundle)):
        return None
    return f"names within a loop or chain stand alone: {found[1]}"


_INDEX = re.compile(
    r"([A-Za-z_][\w.]*?)(?:\{([\w =+-]{1,40})\}|\.(\d{1,6})|\[(=[^\[\],]{1,40}|[^\[\],]{1,30}(?:,[^\[\],]{1,30})+)\])",
    re.ASCII,
)
"""``c{i}``, ``lstm.0``, ``c[=i]``, ``lstm[i, 1]``."""
_ITEMS = Pattern(r"=?[\w.]+(?:,\s*=?[\w.]+){1,7}", re.ASCII)


def _items(at: Span) -> str | None:
    """The list that stands in quotes, or without brackets: ``"=rows, =columns, 1"``."""
    text = written_at(at).strip("\"'")
    return f"a list has brackets, and no quotes: [{text}]" if _ITEMS.fullmatch(text[:120]) else None


def _within(at: Span, name: str) -> Span:
    """The place of a name within the text at a place."""
    text = at.source.line(at.line)[at.column - 1 : at.column - 1 + at.length]
    found = re.search(rf"(?<![\w.]){re.escape(name)}\b", text)
    return at if found is None else replace(at, column=at.column + found.start(), length=len(name))


def _first_turn(name: str, ref: str, at: Span, place: Place) -> str | None:
    """The help for a member that a loop's first turn asks for, of a family that the loop itself gives."""
    match, scope = _INDEXED.match(ref), place.scope
    document = scope.frame.file.document
    if match is None or match[1] != name or not scope.variables or document.source is not at.source:
        return None
    lines = definitions(document).lines.get(name, [])
    if not any(line >= at.line for line in lines):
        return None
    try:
        index = evaluate(match[2], lambda word: scope.lookup(word, place.prev))
    except (ExpressionError, Poisoned):
        return None
    variable, value = next(iter(scope.variables.items()))
    turn = f"the first turn ({variable} = {shown(value)}) has no {name}[{shown(index)}]"
    return f'{turn}: give the first one before the loop, as: "{name}[{shown(index)}]"'


def reference(raw: object, container: Map | Seq, key: object, place: Place) -> Any:
    """The result that a reference names. Raises Refusal, Poisoned."""
    at = value_span(container, key)
    if not isinstance(raw, str) or raw[:1] == "=":
        hint = "a reference has no =" if isinstance(raw, str) else None
        if raw is None and isinstance(key, str):
            pair = re.fullmatch(r"(\w+)\s*=\s*(\w+)", key[:80])
            port = f"{pair[1]}: {pair[2]}" if pair is not None else f"PORT: {key}"
            hint = f"each input has a name and what comes in: from: {{{port}}}"
        elif isinstance(raw, list) and len(raw) == 1 and isinstance(raw[0], str):
            hint = f"one result, without brackets: {raw[0]}"
        if type(raw) is int:
            hint = "steps go by name, not by number: prev is the one before, as: NAME names another"
        raise Refusal("S04", f"a reference is a name, name[index] or name.port, got {shown(raw)}", at, hint)
    try:
        value = evaluate(raw, lambda name: place.scope.lookup(name, place.prev))
    except ExpressionError as error:
        raise _refusal(error, at, place, raw) from None
    if value is POISON:
        raise Poisoned
    if not isinstance(value, (StepResult, Bundle)):
        raise Refusal("N01", f"'{raw}' is {shown(value)}, not a step's result", at)
    if place.scope.items and isinstance(value, StepResult):
        # Of a result that is taken item by item, a name within means the item.
        one = place.scope.items.get(value.tensor)
        return one if one is not None and one.spec.rank + 1 == value.spec.rank else value
    return value


def define(walk: Walk, step: Step, result: object, place: Place) -> None:
    """Give a result its name."""
    assert step.given is not None and step.name is not None
    at = step.given.value_span("as")
    try:
        name, index = name_of(step, place)
    except (Refusal, Poisoned):
        # Said already, when the step took its path.
        place.scope.names.setdefault(step.name.partition("[")[0].strip("= "), POISON)
        return
    if index is not None:
        _extend(walk, place, name, index, result, at)
        return
    scope = place.scope
    if why := scope.conflict(name):
        taken = _taken(name, why, at, place)
        walk.report(taken.code, taken.message, taken.span, taken.help)
        return
    family = scope.parent.visible_family(name) if scope.parent is not None else None
    if family is not None and isinstance(result, StepResult):
        result = StepResult(result.tensor, result.spec, result.ports)
        result.family = family
        walk.entangled += 1
    scope.names[name] = result
    scope.places[name] = at


def _taken(name: str, why: str, at: Span, place: Place) -> Refusal:
    """The refusal of a name that is given twice: of one that a loop gives again, told where it is given before."""
    first, scope = place.scope.given_at(name), place.scope
    if first is None or scope.parent is None or not isinstance(scope.get(name), StepResult):
        return Refusal("N02", why, at, _first(name, place))
    message = f"'{name}' is given here, and again within the loop at line {at.line}"
    return Refusal("N02", message, first, f'as: "{name}[…]" makes this one of the loop\'s; else call one otherwise')


def _first(name: str, place: Place) -> str:
    """The help for a name that is taken: where."""
    first = place.scope.given_at(name)
    if first is None:
        return ONCE
    return f"{ONCE}, the first time at line {first.line}"


def _extend(walk: Walk, place: Place, name: str, index: object, result: object, at: Span) -> None:
    """One more member of a family of results, which belongs to the whole body."""
    scope = place.scope.base()
    family = scope.names.get(name)
    if family is None:
        if why := place.scope.conflict(name):
            walk.report("N02", why, at, _first(name, place))
            return
        family = scope.names[name] = Bundle()
    if isinstance(family, StepResult):
        walk.report("N02", f"'{name}' is already the name of a step", at, _first(name, place))
    elif isinstance(family, Bundle):
        if isinstance(result, Bundle) and result.holds(family):
            walk.report("N01", *of_itself(name, index, at))
            return
        if index in family.elements:
            walk.report("N02", f"'{name}[{index}]' is already defined", at, _first(name, place))
        family.elements.setdefault(index, result)


def of_itself(name: str, key: object, at: Span) -> tuple[str, Span, str]:
    """What to say of a member of a family that would hold the family."""
    message = f"'{name}[{key}]' would hold all of '{name}', and so itself"
    return message, at, f'from: "{name}[…]" takes one of them, by its index'


def name_of(step: Step, place: Place) -> tuple[str, Any]:
    """Name and index that ``as`` gives. Raises Refusal."""
    assert step.given is not None and step.name is not None
    at = step.given.value_span("as")
    match = _NAMED.match(step.name)
    if not match:
        raise Refusal("S03", f"as: must be a name, or name[index], got {shown(step.name)}", at, worded(step.name))
    name, index = match.groups()
    if name in ("prev", "input") or name in SHAPE_WORDS:
        raise Refusal("S03", f"as: cannot be '{name}': the word is reserved", at, f"as: {name}_1, or another name")
    if index is None:
        return name, None
    try:
        value = evaluate(index, lambda word: place.scope.lookup(word, place.prev))
    except ExpressionError as error:
        raise _refusal(error, at, place) from None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, (int, str)):
        raise Refusal("T01", f"an index is an integer or a word, got {described(value)}", at)
    return name, value
