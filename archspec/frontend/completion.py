"""What may be written at a place of a spec's text, for editors. The text may be broken: a place is understood from what
stands before it, and names in scope from an analysis of the text, or of one before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from archspec.frontend.document import ArchitectureSpec, BlockSection, Head
from archspec.frontend.steps import MODIFIERS, STRUCTURAL
from archspec.frontend.symbols import Symbol
from archspec.ir.declaration import Declaration
from archspec.ops.base import Op
from archspec.ops.constraint import Constraint
from archspec.ops.initializer import Initializer
from archspec.ops.loss import Loss
from archspec.ops.metric import Metric
from archspec.ops.regularizer import Regularizer

CHAINS = frozenset(("body", *STRUCTURAL, "project"))
"""Keys whose lists are steps."""
CALLED = frozenset(("block", "network", "file"))
_KEY = re.compile(r"([\w.\[\]=-]+|\"[^\"]*\"|'[^']*')\s*:(?=\s|$)")
_BEGUN = re.compile(r"[\w.]*\Z")
_EXPRESSION = re.compile(r"(?:^|[\s\[{,:])[\"']?=([^#]*)\Z")


@dataclass(frozen=True, slots=True)
class Completion:
    """A word that may stand at a place. ``kind`` is op, block, network, file, argument, modifier, section, value,
    parameter, variable, input or step; ``doc`` says what it is, empty where that is not known."""

    word: str
    kind: str
    doc: str = ""


@dataclass(slots=True)
class Nesting:
    """A map or list that is open at a place: ``kind`` is ``map`` or ``item`` by indentation, ``{`` or ``[``."""

    kind: str
    indent: int
    key: str | None = None


def completions(text: str, offset: int, symbols: Iterable[Symbol] = ()) -> list[Completion]:
    """What may stand where the cursor is, ``offset`` characters into the text, in order of likelihood by kind and then
    by name; none within a comment. Words are whole: what of them is written already is for the editor to match."""
    before = text[:offset]
    begun = _BEGUN.search(before)
    before = before[: begun.start()] if begun else before
    open_in, is_value = opened(before)
    if open_in is None:
        return []
    symbols = list(symbols)
    line = before.rpartition("\n")[2]
    path = [nesting.key for nesting in open_in if nesting.key is not None]
    if _is_in_expression(line) or (is_value and path[-1:] == ["from"]) or path[-2:-1] == ["from"]:
        names = [s for s in symbols if s.kind not in CALLED]
        return [Completion(s.name, s.kind, str(s.spec or "")) for s in _once(names)]
    return list(_possible(open_in, path, symbols, is_value))


def _is_in_expression(line: str) -> bool:
    """Whether an expression is open at the end: it has begun, and no comma or bracket around it has ended it."""
    found = _EXPRESSION.search(line)
    if found is None:
        return False
    depth = 0
    for char in found[1]:
        depth += (char in "([{") - (char in ")]}")
        if depth < 0 or (char == "," and depth == 0):
            return _is_in_expression(found[1].rpartition(",")[2]) if "=" in found[1] else False
    return True


def opened(before: str) -> tuple[list[Nesting] | None, bool]:
    """The maps and lists around the end of a text, outermost first, with the key that each is at, and whether the end
    is where a key's value belongs; None in place of them within a comment or an open quoted word."""
    open_in: list[Nesting] = []
    is_value = False
    for line in re.split(r"\r\n|\n|\r", before):
        rest = line.lstrip(" ")
        at = len(line) - len(rest)
        if not any(nesting.kind in "[{" for nesting in open_in):
            is_value = False
            if rest:
                open_in = [f for f in open_in if f.indent < at or (f.kind == "map" and f.indent == at)]
            else:
                open_in = [f for f in open_in if f.indent <= at]
            while rest == "-" or rest.startswith("- "):
                open_in = [f for f in open_in if f.indent < at or (f.kind == "map" and f.indent == at)]
                open_in.append(Nesting("item", at))
                inner = rest[1:].lstrip(" ")
                at += len(rest) - len(inner)
                rest = inner
            if (key := _KEY.match(rest)) is not None:
                open_in = [f for f in open_in if f.indent < at]
                open_in.append(Nesting("map", at, _word(key[1])))
                at += key.end()
                rest, is_value = rest[key.end() :], True
            elif open_in and open_in[-1].kind == "map" and open_in[-1].indent < at:
                open_in.append(Nesting("map", at))
        is_value = _flow(rest, at, open_in, is_value)
        if is_value is None:
            if line is not None and before.endswith(line):
                return None, False
            is_value = False
    return open_in, bool(is_value)


def _flow(rest: str, at: int, open_in: list[Nesting], is_value: bool) -> Any:
    """Read braces, brackets and keys within them; None where the line ends in a comment or an open quoted word."""
    i = 0
    while i < len(rest):
        char = rest[i]
        if char == "#" and (i == 0 or rest[i - 1] in " \t"):
            return None
        if char in "\"'" and (i == 0 or rest[i - 1] in " ,[{:"):
            end = rest.find(char, i + 1)
            if end < 0:
                return None
            i = end
        elif char in "[{":
            open_in.append(Nesting(char, at + i))
            is_value = False
        elif char in "]}":
            while open_in and open_in[-1].kind in "[{" and open_in.pop().kind != {"]": "[", "}": "{"}[char]:
                pass
            is_value = False
        elif char == "," and open_in and open_in[-1].kind in "[{":
            open_in[-1].key, is_value = None, False
        elif open_in and open_in[-1].kind in "[{" and (key := _KEY.match(rest, i)) is not None:
            open_in[-1].key, is_value = _word(key[1]), True
            i = key.end() - 1
        elif char.isalnum() or char == "_":
            while i + 1 < len(rest) and (rest[i + 1].isalnum() or rest[i + 1] in "_."):
                i += 1
        i += 1
    return is_value


def _word(key: str) -> str:
    return key.strip("\"'")


def _possible(open_in: list[Nesting], path: list[str], symbols: list[Symbol], is_value: bool) -> Iterator[Completion]:
    """What a key, an item of a list or a value may be."""
    innermost = open_in[-1] if open_in else None
    if is_value:
        key = path[-1]
        owner = path[-2] if len(path) > 1 else None
        yield from values_of(owner, key, symbols)
        return
    # The key whose value the place is in: a map's own key is only of an entry before.
    around = open_in[:-1] if innermost is not None and innermost.kind in ("map", "{") else open_in
    held = next((f.key for f in reversed(around) if f.key is not None), None)
    if innermost is None or (innermost.kind == "map" and len(open_in) == 1):
        if innermost is None or innermost.indent == 0:
            yield from (Completion(name, "section") for name in ArchitectureSpec.model_fields)
        return
    is_step = held in CHAINS or (held is None and innermost.kind == "item")
    if is_step:
        yield from callables(symbols)
        if innermost.kind in ("map", "{"):
            yield from (Completion(name, "modifier") for name in MODIFIERS)
        return
    if held is None:
        return
    if held == "metrics":
        yield from _members(Metric)
    elif path[:1] == ["heads"] and len(path) > 1 and held == path[1]:
        yield from (Completion(name.rstrip("_"), "argument") for name in Head.model_fields)
    elif path[:1] in (["blocks"], ["networks"]) and len(path) > 1 and held == path[1]:
        yield from (Completion(name, "argument") for name in BlockSection.model_fields)
    else:
        yield from arguments_of(held, symbols)


def callables(symbols: Iterable[Symbol]) -> Iterator[Completion]:
    """What a step may be: blocks, networks and files of this text, blocks of the prelude, ops."""
    from archspec.frontend import prelude

    for symbol in _once(s for s in symbols if s.kind in CALLED):
        yield Completion(symbol.name, symbol.kind)
    yield from (Completion(name, "block", "a block of the prelude") for name in prelude()["blocks"])
    for name in STRUCTURAL:
        yield Completion(name, "op")
    for op in sorted(Op.all(), key=lambda op: op.name):
        yield Completion(op.name, "op", op.summary().replace("``", ""))


def arguments_of(name: str, symbols: Iterable[Symbol] = ()) -> Iterator[Completion]:
    """What an op, or a block of the text or the prelude, takes by name."""
    from archspec.frontend import prelude

    if (block := prelude()["blocks"].get(name)) is not None:
        yield from (Completion(word, "argument") for word in block["params"])
    elif (op := _declared(name)) is not None:
        docs = op.field_docs()
        yield from (Completion(word, "argument", docs.get(word, "")) for word in op.model_fields)
    for symbol in symbols:
        if symbol.name == name and symbol.kind in ("block", "network"):
            yield from (Completion(word, "argument") for word in symbol.takes)


def values_of(owner: str | None, key: str, symbols: Iterable[Symbol] = ()) -> Iterator[Completion]:
    """The words that an argument of an op may be, and those of a key that is an op itself for its main argument."""
    if key == "loss":
        yield from _members(Loss)
        return
    if key == "activation":
        # An argument of ops, or the step that applies one.
        yield from (Completion(op.name, "value", op.summary()) for op in Op.all() if op.is_activation)
        return
    if key == "merge":
        yield from (Completion(op.name, "value", op.summary()) for op in Op.all() if op.is_merge)
        return
    declared = _declared(owner) if owner else None
    if declared is None or key not in declared.model_fields:
        declared = _declared(key)
        if declared is None or declared.main is None:
            return
        key = declared.main
    for end, kind in (("initializer", Initializer), ("regularizer", Regularizer), ("constraint", Constraint)):
        if key.endswith(end):
            yield from _members(kind)
            return
    field = declared.model_fields[key]
    if field.annotation is bool:
        yield from (Completion(word, "value") for word in ("true", "false"))
        return
    properties = declared.model_json_schema().get("properties", {})
    yield from (Completion(word, "value") for word in dict.fromkeys(_words(properties.get(key))))


def _words(schema: object) -> Iterator[str]:
    """The words that a JSON Schema lists."""
    if isinstance(schema, dict):
        listed = schema.get("enum", [schema["const"]] if "const" in schema else [])
        yield from (word for word in listed if isinstance(word, str))
        schema = [value for key, value in schema.items() if key in ("anyOf", "oneOf", "items")]
    if isinstance(schema, list):
        for part in schema:
            yield from _words(part)


def _declared(name: str) -> type[Declaration] | None:
    return Op.find(name)


def _members(kind: type[Declaration]) -> Iterator[Completion]:
    return (Completion(member.name, "value", member.summary().replace("``", "")) for member in kind.all())


def _once(symbols: Iterable[Symbol]) -> Iterable[Symbol]:
    return {symbol.name: symbol for symbol in symbols}.values()
