"""Typed parameters of files, blocks and networks: how they are declared, and which values they take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.frontend.scope import POISON, Where
from archspec.frontend.yaml_source import Map, written_at
from archspec.ir.aliases import alias, suggested
from archspec.ir.diagnostics import Diagnostic, Span, did_you_mean, known_are, plain, shown
from archspec.ir.patterns import Pattern
from archspec.ops.base import Op

TYPES = ("int", "float", "bool", "str", "list", "block", "any")
_KEYS = ("type", "default", "choices", "min", "max", "doc")
REQUIRED: Any = object()
"""Default of a parameter that has none."""


class Mismatch(Exception):
    """A value that a parameter does not take: the rest of a sentence about it, what would do, the key at fault."""

    def __init__(self, message: str, help: str | None = None, key: str | None = None):
        super().__init__(message)
        self.message, self.help, self.key = message, help, key


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. ``default`` is the raw value of the text, or REQUIRED; ``type`` is one of TYPES, or ``name`` where
    the default is a word: then a one-op map may stand in its place."""

    name: str
    type: str
    default: Any = REQUIRED
    choices: tuple[Any, ...] | None = None
    min: float | None = None
    max: float | None = None
    section: Any = None
    """The ``params`` that declare it."""
    default_span: Span | None = None
    """Where the default is written."""

    def accept(self, value: object) -> Any:
        """``value`` as this parameter holds it. Raises Mismatch. Blocks are resolved before, by whoever passes them."""
        try:
            value = _TAKES[self.type](value)
        except Mismatch as mismatch:
            raise Mismatch(mismatch.message, self._like_default(value, mismatch.help), mismatch.key) from None
        chosen = called_by(value) if self.type == "block" else value
        if self.choices is not None and chosen not in self.choices:
            hint = did_you_mean(chosen, self.choices)
            raise Mismatch(f"must be one of {', '.join(shown(c) for c in self.choices)}, got {shown(chosen)}", hint)
        if self.min is not None and isinstance(value, (int, float)) and value < self.min:
            raise Mismatch(f"must be at least {self.min}, got {shown(value)}", f"{self.min} or more")
        if self.max is not None and isinstance(value, (int, float)) and value > self.max:
            raise Mismatch(f"must be at most {self.max}, got {shown(value)}", f"{self.max} or less")
        return value

    def _like_default(self, value: object, help: str | None) -> str | None:
        """The help for a value of another type than the default's, which shows what one looks like."""
        if self.type == "list" and isinstance(self.default, list) and not isinstance(value, dict):
            such = f"such as the default: {plain(list(self.default))}"
            return f"{help}, {such}" if help and not isinstance(value, str) else f"a list, {such}"
        if self.type != "name" or not isinstance(self.default, str):
            return help
        if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
            return f"with an argument it is a map: {{{value[0]}: {plain(value[1])}}}"
        op = Op.find(self.default)
        none = "; no activation is linear" if value is False and op is not None and op.is_activation else ""
        return f"a name, such as the default: {self.default}{none}"

    def misdeclared(self, value: object) -> Mismatch | None:
        """What is wrong with the default where it is a word of the text and ``value``, which is none, is not taken for
        that reason: ``yes``, beside ``false`` in a variant."""
        is_truth = isinstance(self.default, str) and self.default.lower() in _TRUTHS
        if self.type != "name" or not is_truth or type(value) is not bool:
            return None
        return Mismatch(f"must be true or false, got {shown(self.default)}", f"write {_TRUTHS[self.default.lower()]}")


_TRUTHS = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
"""Texts that people mean as truth values, in the language's words."""


def called_by(value: object) -> Any:
    """The name that a block or op is called by; any other value as it is."""
    if isinstance(value, type) and issubclass(value, Op):
        return next((name for name in Op.names() if Op.find(name) is value), value.__name__)
    return getattr(value, "name", value)


def whole(value: object) -> Any:
    """A float without a fraction as an integer: ``6.0`` is 6 wherever a number is meant."""
    return int(value) if type(value) is float and value.is_integer() else value


def _int(value: object) -> int:
    value = whole(value)
    if type(value) is not int:
        raise Mismatch(f"must be an integer, got {shown(value)}", _division(value))
    return value


def _division(value: object) -> str | None:
    return "use // for integer division" if isinstance(value, float) else None


def _float(value: Any) -> float:
    if type(value) not in (int, float):
        raise Mismatch(f"must be a number, got {shown(value)}", "digits, such as 0.5")
    return float(value)


def _bool(value: object) -> bool:
    if type(value) is not bool:
        yes_no = isinstance(value, str) and value.lower() in ("yes", "no", "on", "off")
        hint = "archspec uses YAML 1.2 booleans: true/false" if yes_no else None
        raise Mismatch(f"must be true or false, got {shown(value)}", hint)
    return value


def _str(value: object) -> str:
    if not isinstance(value, str):
        is_one = isinstance(value, (int, float))
        raise Mismatch(
            f"must be text, got {shown(value)}", f'quotes make it text: "{plain(value)}"' if is_one else None
        )
    return value


def _name(value: object) -> Any:
    if isinstance(value, str) or (isinstance(value, dict) and len(value) == 1):
        return value
    raise Mismatch(f"must be a name, or a one-op map, got {shown(value)}")


_NUMERIC = Pattern(r"[-+.]?\d[\w.,;%/*^+-]*", re.ASCII)
"""What begins as a number does, and cannot be a name."""
_SEPARATED = Pattern(r"-?\d+(?:\.\d+)?(?:\s*[;:|/\s]\s*-?\d+(?:\.\d+)?)+", re.ASCII)
_SUFFIXED = Pattern(r"([-+]?\d+(?:\.\d+)?(?:[eE]-?\d+)?)[fFlLdD]", re.ASCII)


def _no_name(default: str) -> str | None:
    """What to write for a default that is no number, and that nothing can be called by: ``64,``, ``1e-5f``, ``1/2``."""
    if not _NUMERIC.fullmatch(default[:80]):
        return None
    if (found := _SUFFIXED.fullmatch(default)) is not None:
        return f"a number has no letter behind it: {found[1]}"
    from archspec.frontend.intended import intended

    return intended(default, "must be an integer or a number", lambda _: False)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        hint = f"a list has brackets: [{plain(value)}]" if not isinstance(value, dict) else None
        raise Mismatch(f"must be a list, got {shown(value)}", hint)
    return value


def _any(value: object) -> Any:
    return whole(value)


_TAKES = {
    "int": _int,
    "float": _float,
    "bool": _bool,
    "str": _str,
    "name": _name,
    "list": _list,
    "block": _any,
    "any": _any,
}


def parameters(section: Map | None) -> tuple[dict[str, Parameter], list[Diagnostic]]:
    """The parameters that a ``params`` section declares, and what is wrong with it. Read only once."""
    if section is None:
        return {}, []
    if section.memo is None:
        diagnostics: list[Diagnostic] = []
        declared = {}
        for name, value in section.items():
            try:
                inner = isinstance(value, Map) and "default" in value
                at = value.value_span("default") if inner else section.value_span(name)
                declared[name] = replace(_declared(name, value), section=section, default_span=at)
            except Mismatch as mismatch:
                message = f"parameter '{name}' {mismatch.message}"
                diagnostics.append(Diagnostic("P03", message, _place(section, name, value, mismatch), mismatch.help))
                declared[name] = Parameter(name, "any", POISON)
        section.memo = (declared, diagnostics)
    read: tuple[dict[str, Parameter], list[Diagnostic]] = section.memo
    return read


def places_of(declared: Mapping[str, Parameter], args: Mapping[str, tuple[Any, Where]]) -> dict[str, Where]:
    """Where the values of parameters are given: by a call, else by default."""
    places: dict[str, Where] = {
        name: parameter.default_span
        for name, parameter in declared.items()
        if parameter.default_span is not None and parameter.default is not REQUIRED
    }
    return places | {name: where for name, (_, where) in args.items()}


def blocks_among(declared: dict[str, Parameter]) -> tuple[str, ...]:
    """Names of the parameters that hold a block."""
    return tuple([name for name, parameter in declared.items() if parameter.type == "block"])


def _place(section: Map, name: str, value: Any, mismatch: Mismatch) -> Span:
    key = mismatch.key
    is_inside = isinstance(value, Map) and key is not None and key in value
    return value.key_span(key) if is_inside else section.value_span(name)


def _declared(name: str, value: object) -> Parameter:
    if not isinstance(value, Map):
        if isinstance(value, str) and value in TYPES:
            return Parameter(name, value)
        if isinstance(value, str) and (hint := _foreign_type(value)) is not None:
            raise Mismatch(f"has type {shown(value)}, types are {', '.join(TYPES)}", hint)
        if isinstance(value, str) and (hint := _no_name(value)) is not None:
            raise Mismatch(f"has the default {shown(value)}, which is neither a number nor a name", hint)
        if isinstance(value, list) and (hint := _no_elements(value)) is not None:
            raise Mismatch(f"has the default {shown(value)}, with elements that are neither numbers nor names", hint)
        if isinstance(value, list) and value and all(isinstance(v, str) and v in TYPES for v in value):
            raise Mismatch(f"has the default {shown(value)}, which are types", "a list of any length has the type list")
        return Parameter(name, _inferred(value), value)
    for key in value:
        if key not in _KEYS:
            raise Mismatch(f"has no key {shown(key)}", _flat(value) or _key_hint(key), key)
    default = value.get("default", REQUIRED)
    kind = value.get("type") or ("any" if default is REQUIRED else _inferred(default))
    if kind not in (*TYPES, "name"):
        raise Mismatch(f"has type {shown(kind)}, types are {', '.join(TYPES)}", suggested("type", kind, TYPES))
    choices, low, high = value.get("choices"), value.get("min"), value.get("max")
    if choices is not None and not (isinstance(choices, list) and choices):
        raise Mismatch(f"has choices {shown(choices)}, which must be a list")
    for word, bound in (("min", low), ("max", high)):
        if bound is not None and type(bound) not in (int, float):
            raise Mismatch(f"has {word} {shown(bound)}, which must be a number")
    return Parameter(name, kind, default, tuple(choices) if choices else None, low, high)


def _no_elements(default: list[Any]) -> str | None:
    """What to write for a list with an element that is several numbers, or a number in quotes beside others."""
    for element in default:
        if isinstance(element, str) and _SEPARATED.fullmatch(element[:80]):
            parts = re.split(r"\s*[;:|/\s]\s*", element)
            return f"a comma stands between elements: [{', '.join(parts)}]"
    is_number = [isinstance(element, (int, float)) for element in default]
    quoted = next((e for e in default if isinstance(e, str) and e.isdigit()), None)
    return f"a number has no quotes: {quoted}" if quoted is not None and any(is_number) else None


_DEFAULTED = Pattern(r"(?:int|float|bool|str|list|block)\s*[=:]?\s+(\S.*)|(?:int|float|bool|str|list|block)=(\S.*)")


_WORDS_OF_TYPES = frozenset(
    ("int", "integer", "float", "double", "bool", "boolean", "str", "string", "list", "tuple", "array", "dict", "any")
)
"""Words of types that nobody means as a value."""


def _foreign_type(value: str) -> str | None:
    """What to write for a type in another language's word, or with its default: ``Int``, ``integer``, ``int = 8``."""
    if (found := _DEFAULTED.fullmatch(value)) is not None:
        default = found[1] or found[2]
        if value.startswith("block"):
            return f"{{type: block, default: {default}}}"
        return f"a default stands alone, and determines the type: {default}"
    return alias("type", value, TYPES) if value.lower() in _WORDS_OF_TYPES else None


def _flat(value: Map) -> str | None:
    """Parameters that are gathered below a name: ``cfg: {width: 8}``."""
    if any(key in _KEYS or did_you_mean(key, _KEYS) or not str(key).isidentifier() for key in value):
        return None
    if any(isinstance(inner, (dict, list)) for inner in value.values()):
        return None
    return f"each parameter has a name of its own: params: {plain(dict(value))}"


def own_missing(variants: list[str], declared: Mapping[str, Parameter], names: list[str], at: Span) -> tuple[Span, str]:
    """Where a file is asked for parameters of its own without a value, and what to write."""
    variant = written_at(at)
    if variant in variants:
        values = ", ".join(f"{name}: …" for name in names)
        return at, f"{variant}: {{{values}}}, beside what else it gives"
    if variants:
        return at, f"or name a variant: {', '.join(variants[:12])}{', …' if len(variants) > 12 else ''}"
    first = declared[names[0]]
    span = first.section.value_span(first.name) if first.section is not None else at
    example = {"int": "32", "float": "0.5", "bool": "true", "list": "[1, 2]", "str": "NAME", "block": "NAME"}
    value = example.get(first.type, "1")
    default = f"{{type: block, default: {value}}}" if first.type == "block" else value
    return span, f"a default in place of the type, such as {first.name}: {default}; or --set {first.name}={value}"


def near_variant(variant: object, name: str, known: Iterable[str]) -> str:
    """Which variants of a spec there are in place of one that is not; a number is that of a member: 50 is resnet50."""
    known = list(known)
    if (number := str(variant)).isdigit():
        fits = [v for v in known if number in re.findall(r"\d+", v)]
        if fits:
            return f"did you mean '{f'{name}{number}' if f'{name}{number}' in fits else min(fits, key=len)}'?"
    return did_you_mean(variant, known) or known_are(known, variant)


_FOREIGN_KEYS = {
    "default": ("value", "initial", "init", "is"),
    "choices": ("options", "values", "enum", "one_of", "allowed"),
    "doc": ("description", "help", "comment", "about"),
    "type": ("kind", "dtype"),
}
"""What other languages call the keys of a parameter."""


def _key_hint(key: str) -> str:
    from archspec.frontend.intended_words import intended_word

    ours = next((ours for ours, theirs in _FOREIGN_KEYS.items() if str(key).lower() in theirs), None)
    if ours is not None:
        return f"did you mean '{ours}'? ('{key}' is {ours} in archspec)"
    return intended_word(str(key), _KEYS.__contains__) or did_you_mean(key, _KEYS) or f"known are {', '.join(_KEYS)}"


def _inferred(default: object) -> str:
    if isinstance(default, str):
        return "any" if default[:1] == "=" else "name"
    for kind, word in ((bool, "bool"), (int, "int"), (float, "float"), (list, "list")):
        if isinstance(default, kind):
            return word
    return "any"
