"""Protocol buffers as text: ``name: value`` and ``name { … }``, with the place of each."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from archspec.importing.network import refused
from archspec.ir.diagnostics import Source, Span, shown

MAX_DEPTH = 32
MAX_FIELDS = 500_000
_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<word>[A-Za-z_][\w.]*)|(?P<number>[-+]?\.?\d[\w.+-]*|-[A-Za-z]+)|(?P<mark>[{}<>\[\]:,;])""",
    re.VERBOSE,
)
ENDS = {"{": "}", "<": ">"}


@dataclass(slots=True)
class Message:
    """Fields in order: a name may stand several times."""

    span: Span
    fields: list[tuple[str, Any, Span]] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def all(self, name: str) -> list[tuple[Any, Span]]:
        """The values of a name, each with its place."""
        self.asked.add(name)
        return [(value, at) for own, value, at in self.fields if own == name]

    def place(self, name: str) -> Span:
        """Where a name stands, or the message."""
        return next((at for own, _, at in self.fields if own == name), self.span)

    def messages(self, name: str) -> list[Message]:
        """Messages of a name. Raises SpecError (I03)."""
        found = self.all(name)
        for value, at in found:
            if not isinstance(value, Message):
                raise refused("I03", f"{name} must be a message, {name} {{ … }}, got {_said(value)}", at)
        return [value for value, _ in found]

    def message(self, name: str) -> Message:
        """The one message of a name, empty where there is none. Raises SpecError (I03)."""
        found = self.messages(name)
        return found[-1] if found else Message(self.span)

    def text(self, name: str, default: str = "") -> str:
        """A string or a word. Raises SpecError (I03)."""
        found = self.all(name)
        if not found:
            return default
        value, at = found[-1]
        if not isinstance(value, str):
            raise refused("I03", f"{name} must be text, got {_said(value)}", at)
        return value

    def texts(self, name: str) -> list[tuple[str, Span]]:
        """All strings of a name. Raises SpecError (I03)."""
        for value, at in (found := self.all(name)):
            if not isinstance(value, str):
                raise refused("I03", f"{name} must be text, got {_said(value)}", at)
        return found

    def wholes(self, name: str) -> list[int]:
        """All whole numbers of a name. Raises SpecError (I03)."""
        for value, at in (found := self.all(name)):
            if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 1 << 31:
                raise refused("I03", f"{name} must be a whole number, got {_said(value)}", at)
        return [value for value, _ in found]

    def whole(self, name: str, default: int, *, least: int = 0) -> int:
        """A whole number. Raises SpecError (I03)."""
        found = self.wholes(name)
        if found and found[-1] < least:
            raise refused("I03", f"{name} must be at least {least}, got {found[-1]}", self.place(name))
        return found[-1] if found else default

    def number(self, name: str, default: float) -> float:
        """A finite number. Raises SpecError (I03)."""
        found = self.all(name)
        if not found:
            return default
        value, at = found[-1]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise refused("I03", f"{name} must be a number, got {_said(value)}", at)
        return float(value)

    def truth(self, name: str, default: bool) -> bool:
        """true or false. Raises SpecError (I03)."""
        found = self.all(name)
        if not found:
            return default
        value, at = found[-1]
        if value not in ("true", "false", 0, 1):
            raise refused("I03", f"{name} must be true or false, got {_said(value)}", at)
        return value in ("true", 1)


def _said(value: Any) -> str:
    return "a message" if isinstance(value, Message) else shown(value)


def message_of(source: Source) -> Message:
    """The message that a text says. Raises SpecError (I01)."""
    tokens = _tokens(source)
    root = Message(Span(source, 1, 1))
    open_ones: list[tuple[Message, str]] = [(root, "")]
    at = 0

    def next_one(wanted: str) -> tuple[str, str, Span]:
        if at >= len(tokens):
            last = tokens[-1][2] if tokens else root.span
            raise refused("I01", f"the text ends where {wanted} was expected", last)
        return tokens[at]

    while at < len(tokens):
        kind, said, span = tokens[at]
        here, end = open_ones[-1]
        at += 1
        if said in (",", ";") and kind == "mark":
            continue
        if said == end and kind == "mark":
            open_ones.pop()
            continue
        if kind != "word":
            raise refused("I01", f"a field begins with its name, got {shown(said)}", span)
        name = said
        if next_one("a value")[1] == ":":
            at += 1
        kind, said, value_at = next_one("a value")
        at += 1
        if kind == "mark" and said in ENDS:
            if len(open_ones) > MAX_DEPTH:
                raise refused("I01", f"messages within messages, more than {MAX_DEPTH} deep", span)
            inner = Message(span)
            here.fields.append((name, inner, span))
            open_ones.append((inner, ENDS[said]))
        elif kind == "mark" and said == "[":
            while next_one("]")[1] != "]":
                kind, said, value_at = tokens[at]
                if said != ",":
                    here.fields.append((name, _value(kind, said, value_at), value_at))
                at += 1
            at += 1
        else:
            value = _value(kind, said, value_at)
            while kind == "text" and at < len(tokens) and tokens[at][0] == "text":
                value += _value(*tokens[at])
                at += 1
            here.fields.append((name, value, value_at))
    if len(open_ones) > 1:
        raise refused("I01", "this message does not end", open_ones[-1][0].span)
    return root


def _tokens(source: Source) -> list[tuple[str, str, Span]]:
    out: list[tuple[str, str, Span]] = []
    for number, line in enumerate(source.text.split("\n"), 1):
        at = 0
        while at < len(line):
            found = _TOKEN.match(line, at)
            if found is None:
                raise refused(
                    "I01",
                    f"expected the name of a field, got {shown(line[at : at + 20])}",
                    Span(source, number, at + 1),
                )
            kind = found.lastgroup or ""
            if kind != "space":
                out.append((kind, found[0], Span(source, number, at + 1, len(found[0]))))
                if len(out) > MAX_FIELDS:
                    raise refused("I01", f"more than {MAX_FIELDS:,} words", out[-1][2])
            at = found.end()
    return out


def _value(kind: str, said: str, at: Span) -> Any:
    if kind == "text":
        return re.sub(r"\\(.)", r"\1", said[1:-1])
    if kind == "word":
        return said
    if kind == "number":
        if re.fullmatch(r"[-+]?\d{1,18}", said):
            return int(said)
        try:
            return float(said.rstrip("fF"))
        except ValueError:
            pass
    raise refused("I01", f"expected a value, got {shown(said)}", at)
