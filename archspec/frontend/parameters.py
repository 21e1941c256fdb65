"""Typed parameters of files, blocks and networks: how they are declared, and which values they take."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from archspec.frontend.scope import POISON
from archspec.frontend.yaml_source import Map
from archspec.ir.aliases import alias, suggested
from archspec.ir.diagnostics import Diagnostic, Span, did_you_mean, known_are, plain, shown
from archspec.ir.patterns import Pattern

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
    """The ``params`` that declare it, where its place is kept."""

    @property
    def default_span(self) -> Span | None:
        """Where the default is written."""
        if self.section is None:
            return None
        declared = self.section[self.name]
        inner = isinstance(declared, Map) and "default" in declared
        found: Span = declared.value_span("default") if inner else self.section.value_span(self.name)
        return found

    def accept(self, value: object) -> Any:
        """``value`` as this parameter holds it. Raises Mismatch. Blocks are resolved before, by whoever passes them."""
        try:
            value = _TAKES[self.type](value)
        except Mismatch as mismatch:
            if self.type == "list" and isinstance(self.default, list) and not isinstance(value, dict):
                raise Mismatch(mismatch.message, f"a list, such as the default: {plain(list(self.default))}") from None
            raise
        if self.choices is not None and value not in self.choices:
            hint = did_you_mean(value, self.choices)
            raise Mismatch(f"must be one of {', '.join(shown(c) for c in self.choices)}, got {shown(value)}", hint)
        if self.min is not None and isinstance(value, (int, float)) and value < self.min:
            raise Mismatch(f"must be at least {self.min}, got {shown(value)}")
        if self.max is not None and isinstance(value, (int, float)) and value > self.max:
            raise Mismatch(f"must be at most {self.max}, got {shown(value)}")
        return value


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
        raise Mismatch(f"must be text, got {shown(value)}")
    return value


def _name(value: object) -> Any:
    if isinstance(value, str) or (isinstance(value, dict) and len(value) == 1):
        return value
    raise Mismatch(f"must be a name, or a one-op map, got {shown(value)}")


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
                declared[name] = replace(_declared(name, value), section=section)
            except Mismatch as mismatch:
                message = f"parameter '{name}' {mismatch.message}"
                diagnostics.append(Diagnostic("P03", message, _place(section, name, value, mismatch), mismatch.help))
                declared[name] = Parameter(name, "any", POISON)
        section.memo = (declared, diagnostics)
    read: tuple[dict[str, Parameter], list[Diagnostic]] = section.memo
    return read


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


_DEFAULTED = Pattern(r"(?:int|float|bool|str|list)\s*=\s*(\S.*)")


_WORDS_OF_TYPES = frozenset(
    ("int", "integer", "float", "double", "bool", "boolean", "str", "string", "list", "tuple", "array", "dict", "any")
)
"""Words of types that nobody means as a value."""


def _foreign_type(value: str) -> str | None:
    """What to write for a type in another language's word, or with its default: ``Int``, ``integer``, ``int = 8``."""
    if (found := _DEFAULTED.fullmatch(value)) is not None:
        return f"a default stands alone, and determines the type: {found[1]}"
    return alias("type", value, TYPES) if value.lower() in _WORDS_OF_TYPES else None


def _flat(value: Map) -> str | None:
    """Parameters that are gathered below a name: ``cfg: {width: 8}``."""
    if any(key in _KEYS or did_you_mean(key, _KEYS) or not str(key).isidentifier() for key in value):
        return None
    if any(isinstance(inner, (dict, list)) for inner in value.values()):
        return None
    return f"each parameter has a name of its own: params: {plain(dict(value))}"


def near_variant(variant: object, name: str, known: Iterable[str]) -> str:
    """Which variants of a spec there are in place of one that is not; a number is that of a member: 50 is resnet50."""
    known = list(known)
    if (number := str(variant)).isdigit():
        fits = [v for v in known if number in re.findall(r"\d+", v)]
        if fits:
            return f"did you mean '{f'{name}{number}' if f'{name}{number}' in fits else min(fits, key=len)}'?"
    return did_you_mean(variant, known) or known_are(known, variant)


def _key_hint(key: str) -> str:
    from archspec.frontend.intended_words import intended_word

    return intended_word(str(key), _KEYS.__contains__) or did_you_mean(key, _KEYS) or f"known are {', '.join(_KEYS)}"


def _inferred(default: object) -> str:
    if isinstance(default, str):
        return "any" if default[:1] == "=" else "name"
    for kind, word in ((bool, "bool"), (int, "int"), (float, "float"), (list, "list")):
        if isinstance(default, kind):
            return word
    return "any"
