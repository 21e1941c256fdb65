"""YAML text → plain values that know their places: a strict subset of YAML 1.2 (docs/language.md, "The YAML profile").

Reads libyaml's *events*, so that nothing is constructed that the text does not spell out: no tags, anchors, aliases or
merge keys, no 1.1 booleans or octals, duplicate keys refused, size, depth and node count bounded before they can hurt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import yaml

from archspec.ir.diagnostics import Diagnostic, Source, Span, SpecError
from archspec.ir.patterns import Pattern

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_NODES = 200_000
MAX_SCALAR = 1 << 16
MAX_INTEGER = 2**53
MAX_SHOWN = 400
"""Longest list or map that is looked at as text."""

Mark = tuple[int, int, int]
"""0-based line and column, and length, of a key or value."""


class Map(dict[str, Any]):
    """A mapping with the marks of its keys and values."""

    __slots__ = ("key_marks", "mark", "memo", "source", "spans", "value_marks")

    def __init__(self, source: Source, mark: Mark):
        self.source, self.mark = source, mark
        self.memo: Any = None
        self.key_marks: dict[str, Mark] = {}
        self.value_marks: dict[str, Mark] = {}
        self.spans: dict[str, Span] | None = None

    def key_span(self, key: str) -> Span:
        """Where the key is written."""
        return _span(self.source, self.key_marks[key])

    def value_span(self, key: str) -> Span:
        """Where the value of ``key`` is written."""
        if self.spans is None:
            self.spans = {}
        found = self.spans.get(key)
        if found is None:
            found = self.spans[key] = _span(self.source, self.value_marks[key])
        return found


class Seq(list[Any]):
    """A list with the marks of its items. ``memo`` is for what a reader derives from it once (parsed steps)."""

    __slots__ = ("mark", "memo", "source", "value_marks")

    def __init__(self, source: Source, mark: Mark):
        self.source, self.mark = source, mark
        self.memo: Any = None
        self.value_marks: list[Mark] = []

    def value_span(self, index: int) -> Span:
        """Where item ``index`` is written."""
        return _span(self.source, self.value_marks[index])


def span(value: Map | Seq) -> Span:
    """Where a mapping or list begins."""
    return _span(value.source, value.mark)


def only(section: Map, *keys: str) -> Map:
    """Some entries of a mapping, each in its place."""
    out = Map(section.source, section.mark)
    for key in keys:
        out[key] = section[key]
        out.key_marks[key], out.value_marks[key] = section.key_marks[key], section.value_marks[key]
    return out


def value_span(container: Map | Seq, key: Any) -> Span:
    """Where the value under a key or index is written."""
    return container.value_span(key)


def written_at(at: Span) -> str:
    """The text of the value at a place: of a list or map within one line, all of it."""
    line = at.source.line(at.line)
    start = at.column - 1
    if line[start : start + 1] not in ("[", "{"):
        return line[start : start + at.length]
    depth = 0
    for i in range(start, min(len(line), start + MAX_SHOWN)):
        depth += (line[i] in "[{") - (line[i] in "]}")
        if depth == 0:
            return line[start : i + 1]
    return ""


def _span(source: Source, mark: Mark) -> Span:
    return Span(source, mark[0] + 1, mark[1] + 1, mark[2])


PARSER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SPECIAL = frozenset("+-.0123456789~tTfFnN")
_INTEGER = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_OTHER_BASE = re.compile(r"[-+]?0[xXoObB][0-9a-fA-F]+\Z")
_NON_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_WORDS = {"true": True, "false": False, "null": None, "": None}
BY_NUMBER = frozenset({"class_weight", "values", "weights", "learning_rate", "lr"})
"""Keys of run files whose maps go by names of classes, in many data numbers, or by values of pixels: ``{3: 2.0}`` is as
``{"3": 2.0}``. A rate has no map; what is wrong with one by epochs is told where its schedule is known."""
_WORD_FORMS = {
    "True": "true",
    "TRUE": "true",
    "False": "false",
    "FALSE": "false",
    "Null": "null",
    "NULL": "null",
    "~": "null",
}


def read(source: Source) -> Any:
    """The value of the one document in ``source``: Map, Seq, str, int, float, bool or None.

    Raises SpecError (Y01 syntax, Y02 duplicate key, Y03 anchor or alias, Y04 tag, Y05 ambiguous scalar, Y06 unbalanced
    expression, Y07 a limit, Y08 not one document, Y09 key that is not a string).
    """
    text = source.text
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        _refuse(source, (0, 0, 1), "Y07", f"the file is larger than {MAX_BYTES >> 20} MiB")
    try:
        parser = PARSER(text)
        return _document(parser, source)
    except yaml.MarkedYAMLError as error:
        from archspec.frontend.slips.stopped import stopped

        _refuse(source, *stopped(source, error))
    except (yaml.YAMLError, UnicodeError) as error:
        what = getattr(error, "reason", None) or str(error).splitlines()[0]
        _refuse(source, _reader_mark(text, error), "Y01", f"not valid YAML: {what}")


def _document(parser: Any, source: Source) -> Any:
    get = parser.get_event
    get()  # stream start
    start = get()
    if isinstance(start, yaml.StreamEndEvent):
        _refuse(source, (0, 0, 1), "Y08", "the file is empty", "a spec starts with 'archspec: 1'")
    if start.version or start.tags:
        _refuse(source, _mark(start), "Y04", "YAML directives are not part of archspec")

    root: list[Any] = []
    stack: list[tuple[Any, Any]] = []  # enclosing (container, pending key)
    container: Any = None
    key: Any = None
    nodes = 0
    Scalar, MapStart, SeqStart = yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent
    MapEnd, SeqEnd, DocEnd, Alias = yaml.MappingEndEvent, yaml.SequenceEndEvent, yaml.DocumentEndEvent, yaml.AliasEvent
    while True:
        event = get()
        kind = type(event)
        if kind is MapEnd or kind is SeqEnd:
            container, key = stack.pop()
            continue
        if kind is DocEnd:
            break
        mark = _mark(event)
        if kind is Alias or event.anchor is not None:
            sign = "*" if kind is Alias else "&"
            word = "alias" if kind is Alias else "anchor"
            _refuse(
                source,
                mark,
                "Y03",
                f"YAML {word} {sign}{event.anchor} is not part of archspec",
                f"a name stands alone: {event.anchor[:40]}; for reuse there are params and blocks",
            )
        if event.tag is not None and event.tag != "!":
            _refuse(source, mark, "Y04", f"YAML tag {event.tag} is not part of archspec")
        nodes += 1
        if nodes > MAX_NODES:
            _refuse(source, mark, "Y07", f"the file has more than {MAX_NODES:,} values")

        if type(container) is Map and key is None:
            if kind is not Scalar:
                from archspec.frontend.slips.stopped import flow_help

                _refuse(
                    source, mark, "Y09", "a key must be a plain word, found a list or mapping", flow_help(source, mark)
                )
            key = event.value
            if not event.style:
                if key == "<<":
                    _refuse(
                        source,
                        mark,
                        "Y03",
                        "YAML merge key << is not part of archspec",
                        "use params or blocks for reuse",
                    )
                if key == "=":
                    _refuse(source, mark, "Y05", "'=' alone is not a key")
                plain = _scalar(key, source, mark)
                if not isinstance(plain, str) and not (type(plain) is int and _is_by_number(stack)):
                    from archspec.frontend.slips.stopped import apart

                    at, help = apart(source, mark)
                    is_cut = help is not None and not help.startswith(("arguments", "a size that is open"))
                    what = "a comma ends a value inside {…}, and then" if is_cut else "a key must be a word,"
                    _refuse(source, at, "Y09", f"{what} found {key or 'nothing'}", help)
            if key in container.key_marks:
                first = container.key_marks[key][0] + 1
                message = f"duplicate key '{key[:80]}' (first at line {first})"
                _refuse(source, mark, "Y02", message, _steps_help(stack, container, key) or _ONCE)
            container.key_marks[key] = mark
            continue

        if kind is Scalar:
            value: Any = event.value
            if len(value) > MAX_SCALAR:
                _refuse(source, mark, "Y07", f"a value longer than {MAX_SCALAR >> 10} KiB")
            if not event.style:
                value = _scalar(value, source, mark)
            if type(value) is str and value[:1] == "=":
                _balanced(value, source, mark)
            elif not event.style and type(value) is str and value[:1] == "(" and value[-1:] != ")":
                _cut(value, source, mark)
        elif kind is MapStart:
            value = Map(source, mark)
        elif kind is SeqStart:
            value = Seq(source, mark)
        else:
            raise AssertionError(kind)

        if container is None:
            root.append(value)
        elif type(container) is Map:
            container[key] = value
            container.value_marks[key] = mark
            key = None
        else:
            container.append(value)
            container.value_marks.append(mark)
        if kind is not Scalar:
            stack.append((container, key))
            if len(stack) > MAX_DEPTH:
                _refuse(source, mark, "Y07", f"nested deeper than {MAX_DEPTH} levels")
            container, key = value, None
    if not isinstance(get(), yaml.StreamEndEvent):
        _refuse(source, _mark(event), "Y08", "one file holds one document")
    return root[0]


def _is_by_number(stack: Sequence[tuple[Any, Any]]) -> bool:
    """Whether the innermost map, which is the last value of the one around it, may go by numbers."""
    outer = stack[-1][0] if stack else None
    return type(outer) is Map and next(reversed(outer), None) in BY_NUMBER


def _decimal(source: Source, mark: Mark, text: str) -> str | None:
    """The number that a comma has cut: ``0,001``."""
    before = re.search(r"(?<![\w.])(\d+),\s?$", source.line(mark[0] + 1)[max(0, mark[1] - 12) : mark[1]])
    return f"a decimal point is a point: {before[1]}.{text}" if before is not None and text.isdigit() else None


def _mark(event: Any) -> Mark:
    start, end = event.start_mark, event.end_mark
    return (
        start.line,
        start.column,
        end.column - start.column if end.line == start.line and end.column > start.column else 1,
    )


def _scalar(text: str, source: Source, mark: Mark) -> Any:
    """The value of a plain scalar under YAML 1.2's core schema, less its ambiguous spellings."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _SPECIAL:
        return text
    if _INTEGER.match(text):
        if _LEADING_ZERO.match(text):
            plain = text.lstrip("+-0") or "0"
            _refuse(
                source,
                mark,
                "Y05",
                f"ambiguous number {text[:40]} (octal in YAML 1.1, decimal in 1.2)",
                _decimal(source, mark, text) or f"write {plain[:40]}",
            )
        if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
            _refuse(source, mark, "Y05", f"integer {text[:24]} is larger than 2^53")
        return int(text)
    if _FLOAT.match(text):
        if _LEADING_ZERO.match(text):
            _refuse(source, mark, "Y05", f"ambiguous number {text[:40]}", f"write {float(text)!r}")
        number = float(text)
        if number in (float("inf"), float("-inf")):
            _refuse(source, mark, "Y05", f"number {text[:40]} is out of range")
        return number
    if _OTHER_BASE.match(text):
        base = {"x": 16, "o": 8, "b": 2}[text.lstrip("+-")[1].lower()]
        try:
            plain = str(int(text.replace("0b", "").replace("0B", ""), base)) if base == 2 else str(int(text, base))
        except ValueError:
            return text
        _refuse(source, mark, "Y05", f"ambiguous number {text[:40]}", f"write {plain[:40]}")
    if _NON_FINITE.match(text):
        _refuse(source, mark, "Y05", f"{text} is not a number archspec takes", "write a finite number")
    if text in _WORD_FORMS:
        _refuse(source, mark, "Y05", f"ambiguous word {text}", f"write {_WORD_FORMS[text]}")
    return text


QUOTE_EXPRESSIONS = 'inside {...} or [...], quote an expression that contains commas or brackets: "=min(a, b)"'


def _balanced(text: str, source: Source, mark: Mark) -> None:
    """Refuse an expression that a comma inside {…} or […] has cut in two: `=min(a` of `{n: =min(a, b)}`."""
    depth = 0
    quote = ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
            if depth < 0:
                break
    if depth or quote:
        from archspec.frontend.slips.stopped import closed_once, quoted_whole

        _refuse(
            source,
            mark,
            "Y06",
            f"brackets do not balance in expression '{text[:80]}'",
            quoted_whole(source, mark) or closed_once(text, source, mark) or QUOTE_EXPRESSIONS,
        )


_TUPLE = Pattern(r"\(([^(){}]{1,80},[^(){}]{0,80})\)")


def _cut(text: str, source: Source, mark: Mark) -> None:
    """Refuse a tuple that a comma inside {…} or […] has cut: `(3` of `{kernel: (3, 3)}`."""
    found = _TUPLE.match(source.line(mark[0] + 1), mark[1])
    if found is not None and found.end() > mark[1] + len(text):
        items = ", ".join(item.strip() for item in found[1].split(",") if item.strip())
        message = f"a list has square brackets, found {found[0]}"
        _refuse(source, mark, "Y06", message, f"[{items}]")


_ONCE = "each key stands once: leave one out, or join what the two hold"


def _steps_help(stack: Sequence[tuple[Any, Any]], container: Map, repeated: str) -> str | None:
    """Steps that are written as a map, which has each key once."""
    outer = stack[-1][0] if stack else None
    key = next(reversed(outer.key_marks), "") if type(outer) is Map else ""
    if type(outer) is Seq:
        from archspec.ops.base import Op

        if Op.find(repeated) is not None:
            return f"steps are a list: [{', '.join(f'{op}: …' for op in [*container.key_marks, repeated][:4])}]"
    if key not in ("body", "do", "residual", "branches", "project"):
        return None
    return f"steps are a list: {key}: [{', '.join(f'{op}: …' for op in [*container.key_marks, repeated][:4])}]"


def _reader_mark(text: str, error: Exception) -> Mark:
    position = getattr(error, "position", None)
    if not isinstance(position, int) or position > len(text):
        return (0, 0, 1)
    before = text[:position]
    return (before.count("\n"), position - (before.rfind("\n") + 1), 1)


def _refuse(source: Source, mark: Mark, code: str, message: str, help: str | None = None) -> NoReturn:
    raise SpecError([Diagnostic(code, message, _span(source, mark), help)])
