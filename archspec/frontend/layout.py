"""The canonical form of a spec or run file: one spelling for what can be spelt in several ways.

Which lines a person breaks, and what stands in which order, stays; so do comments. What changes is the spelling: how
deep a line is indented, how many spaces and blank lines there are, quotes that are not needed, braces around a step
that has no modifiers, an argument named that may stand alone. ``formatted`` is idempotent, and what it gives has the
same value as what it was given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

from archspec.frontend.steps import MODIFIERS
from archspec.frontend.yaml_source import PARSER, read
from archspec.ir.diagnostics import Source, SpecError
from archspec.ops.base import Op

INDENT = 2
CHAINS = frozenset(("body", "do", "residual", "project"))
"""Keys whose lists are steps."""
FURTHER_ENDS = "\x85\u2028\u2029"
"""What ends a line in YAML, and in few other texts: a file with one stays as it is."""

Place = tuple[int, int]
"""0-based line and column."""


@dataclass(slots=True)
class Written:
    """A value as it is written, from its first character to behind its last."""

    kind: str
    """``map``, ``list`` or ``scalar``."""
    start: Place
    end: Place
    is_flow: bool
    style: str | None = None
    text: str = ""
    children: list[Written] = field(default_factory=list)
    """Of a map keys and values in turn."""

    def pairs(self) -> Iterator[tuple[Written, Written]]:
        """Keys with their values, of a map."""
        return zip(self.children[::2], self.children[1::2], strict=True)

    def within(self) -> Iterator[Written]:
        """This node and all in it, in the order of the text."""
        yield self
        for child in self.children:
            yield from child.within()


def formatted(source: Source) -> str:
    """The canonical form of a file. Raises SpecError for what is no YAML of archspec's."""
    value = read(source)
    text = source.text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    if any(sign in text for sign in FURTHER_ENDS):
        return text
    text = _spaced(text)
    for change in (_unquoted, _unwrapped, _alone):
        text = _settled(text, change)
    text = _indented(_spaced(text))
    assert _plain(read(Source(source.name, text))) == _plain(value), "formatting changes no value"
    return text


def _settled(text: str, change: Callable[[Written], Iterator[Edit]]) -> str:
    """``text`` after a change, repeated until nothing is left to change; without it where it changes the value."""
    value = _plain(read(Source("", text)))
    while True:
        changed = _edited(text, change(tree(text)))
        try:
            is_same = changed != text and _plain(read(Source("", changed))) == value
        except SpecError:
            is_same = False
        if not is_same:
            return text
        text = changed


Edit = tuple[Place, Place, str]
"""From where to where, and what stands there then."""


def _edited(text: str, edits: Iterator[Edit]) -> str:
    """``text`` with all edits that do not overlap an earlier one."""
    lines = text.split("\n")
    taken: list[tuple[Place, Place]] = []
    for start, end, new in sorted(edits, reverse=True):
        if start[0] != end[0] or any(start < other_end and other < end for other, other_end in taken):
            continue
        taken.append((start, end))
        line = lines[start[0]]
        lines[start[0]] = line[: start[1]] + new + line[end[1] :]
    return "\n".join(lines)


def _unquoted(root: Written) -> Iterator[Edit]:
    """Quotes around a text that is the same without them. Words that some readers take for values keep theirs."""
    for node in root.within():
        if node.kind == "scalar" and node.style in ("'", '"') and _reads_alone(node.text):
            yield node.start, node.end, node.text


_PLAIN_TEXT = re.compile(r"=?[A-Za-z_][A-Za-z0-9_.]*(?: (?:[-+*/%<>=]|//|\*\*|==|!=|<=|>=|and|or) [A-Za-z0-9_.]+)*\Z")
_TAKEN = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|none|nan|inf)\Z", re.IGNORECASE)


def _reads_alone(text: str) -> bool:
    return bool(_PLAIN_TEXT.match(text)) and not _TAKEN.match(text)


def _unwrapped(root: Written) -> Iterator[Edit]:
    """Braces around the one key of an item: ``[{conv: 8}]`` is ``[conv: 8]``, ``- {conv: 8}`` is ``- conv: 8``."""
    for node in root.within():
        if node.kind != "list":
            continue
        for item in node.children:
            if item.kind != "map" or len(item.children) != 2:
                continue
            if item.is_flow and not _is_bare_pair(item) and item.start[0] == item.end[0]:
                yield item.start, (item.start[0], item.start[1] + 1), ""
                yield (item.end[0], item.end[1] - 1), item.end, ""


def _alone(root: Written) -> Iterator[Edit]:
    """The one argument that may stand alone, named: ``conv: {filters: 8}`` is ``conv: 8``. A switch keeps its name."""
    own = {key.text for section in ("blocks", "networks", "use", "params") for key in _keys_of(root, section)}
    for step in _steps(root):
        for key, value in step.pairs():
            is_one = value.kind == "map" and value.is_flow and len(value.children) == 2
            if key.text in own or key.text in MODIFIERS or not is_one:
                continue
            op = Op.find(key.text)
            name, argument = value.children
            is_value = argument.kind == "scalar" and argument.start < argument.end
            is_clear = is_value and argument.text not in ("true", "false")
            if op is not None and op.main == name.text and is_clear and value.start[0] == value.end[0]:
                yield value.start, argument.start, ""
                yield argument.end, value.end, ""


def _keys_of(root: Written, section: str) -> Iterator[Written]:
    """Keys of all maps under a key."""
    for node in root.within():
        if node.kind == "map":
            for key, value in node.pairs():
                if key.text == section and value.kind == "map":
                    yield from value.children[::2]


def _steps(root: Written) -> Iterator[Written]:
    """Maps that are steps: items of the lists that chains are."""
    for node in root.within():
        if node.kind == "map":
            for key, value in node.pairs():
                if key.text in CHAINS and value.kind == "list":
                    yield from (item for item in value.children if item.kind == "map")


def _plain(value: object) -> Any:
    """A value with the spellings of one thing made one."""
    if isinstance(value, dict):
        return {key: _argument(key, _plain(inner)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _argument(key: str, value: Any) -> Any:
    op = Op.find(key) if isinstance(value, dict) and len(value) == 1 else None
    if op is not None and op.main in value and not isinstance(value[op.main], (dict, list)):
        return value[op.main]
    return value


def tree(text: str) -> Written:
    """The document as nodes."""
    parser = PARSER(text)
    stack: list[Written] = [Written("list", (0, 0), (0, 0), False)]
    while True:
        event = parser.get_event()
        if isinstance(event, yaml.StreamEndEvent):
            return stack[0].children[0]
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            kind = "map" if isinstance(event, yaml.MappingStartEvent) else "list"
            node = Written(kind, _place(event.start_mark), _place(event.end_mark), bool(event.flow_style))
            stack[-1].children.append(node)
            stack.append(node)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            node = stack.pop()
            node.end = _place(event.end_mark)
        elif isinstance(event, yaml.ScalarEvent):
            start, end = _place(event.start_mark), _place(event.end_mark)
            stack[-1].children.append(Written("scalar", start, end, False, event.style, event.value))


def _place(mark: Any) -> Place:
    return mark.line, mark.column


def _spaced(text: str) -> str:
    """One space behind a colon and a comma and none within brackets, unless more of them align a column of tokens; no
    blanks at ends."""
    text = _ends(text)
    while True:
        lines = text.split("\n")
        tokens = sorted(_tokens(tree(text)))
        starts = {start for start, _, _ in tokens}
        edits = []
        for (_, end, left), (start, _, right) in pairwise(tokens):
            if end[0] == start[0] and end <= start:
                gap = lines[end[0]][end[1] : start[1]]
                new = _gap(gap, left, right)
                is_aligned = {(start[0] - 1, start[1]), (start[0] + 1, start[1])} & starts
                if new is not None and not (is_aligned and _is_longer(gap, new)):
                    edits.append((end, start, new))
        spaced = _edited(text, iter(edits))
        if spaced == text:
            return text
        text = spaced


def _is_longer(gap: str, new: str) -> bool:
    """Whether a gap is another one with more spaces at its end."""
    return gap.rstrip(" ") == new.rstrip(" ") and len(gap) > len(new)


Token = tuple[Place, Place, str]
"""From where to where, and what it is: ``open``, ``close``, ``scalar``."""


def _tokens(root: Written) -> Iterator[Token]:
    for node in root.within():
        if node.kind == "scalar":
            if node.start < node.end and node.style not in ("|", ">"):
                yield node.start, node.end, "scalar"
        elif node.is_flow and node.start < node.end:
            line, column = node.start
            if not _is_bare_pair(node):
                yield node.start, (line, column + 1), "open"
                yield (node.end[0], node.end[1] - 1), node.end, "close"


def _is_bare_pair(node: Written) -> bool:
    """Whether a map in a list has no braces: ``[conv: 8]``."""
    return node.kind == "map" and bool(node.children) and node.children[0].start == node.start


def _gap(gap: str, left: str, right: str) -> str | None:
    """What stands between two tokens of one line; None where it is to be left as it is."""
    signs = gap.replace(" ", "")
    if signs == ":":
        return ": "
    if signs == ",":
        return "" if right == "close" else ", "
    if signs in (":,", ",:"):
        return ", "
    if signs == "" and (left == "open" or right == "close"):
        return ""
    return None


def _ends(text: str) -> str:
    """No blanks at the ends of lines, at most one empty line together, none at either end of the text; what a value
    has of either stays."""
    lines = text.split("\n")
    held = _held(tree(text), lines)
    kept: list[int] = []
    for number, line in enumerate(lines):
        if number in held or line.strip(_BLANKS) or (kept and lines[kept[-1]].strip(_BLANKS)):
            kept.append(number)
    while kept[-1] not in held and not lines[kept[-1]].strip(_BLANKS):
        kept.pop()
    end = "" if len(lines) - 1 in held else "\n"
    return "\n".join(lines[n] if n in held else lines[n].rstrip(_BLANKS) for n in kept) + end


_BLANKS = " \t"


def _held(root: Written, lines: list[str]) -> set[int]:
    """Lines whose blanks at the end, or that are empty, are within a value."""
    held: set[int] = set()
    for node in root.within():
        if node.kind == "scalar" and node.end[0] > node.start[0]:
            first, last = node.start[0], node.end[0]
            if node.style in ("|", ">"):
                header = lines[first][node.start[1] :][:3]
                first, last = first + 1, last + (node.end[1] > 0)
                while "+" not in header and last > first and not lines[last - 1]:
                    last -= 1
            held.update(range(first, last))
    return held


def _indented(text: str) -> str:
    """Two spaces a level, also for the items of a list under its key."""
    root = tree(text)
    lines = text.split("\n")
    levels: dict[int, tuple[int, int]] = {}
    _levels(root, 0, levels)
    literal = {
        line
        for node in root.within()
        if node.kind == "scalar" and node.end[0] > node.start[0]
        for line in range(node.start[0] + 1, node.end[0] + (node.end[1] > 0))
    }
    out: list[str] = []
    shift = 0
    following = _following(lines, levels)
    for number, line in enumerate(lines):
        if number in levels:
            column, indent = levels[number]
            shift = indent - column
        elif line.lstrip(" ").startswith("#") and number not in literal:
            column, indent = levels.get(following[number], (0, 0))
            own = len(line) - len(line.lstrip(" "))
            out.append(" " * max(0, own + indent - column) + line.lstrip(" ") if own == column else line)
            continue
        stripped = line.lstrip(" ")
        own = len(line) - len(stripped)
        if number in levels:
            stripped = _DASHES.sub(lambda found: "- " * found[0].count("-"), stripped)
        out.append(" " * max(0, own + shift) + stripped if line else "")
    return "\n".join(out)


_DASHES = re.compile(r"\A(?:- +)+")


def _following(lines: list[str], levels: dict[int, tuple[int, int]]) -> list[int]:
    """For each line the next one that begins a value, or -1."""
    out, last = [], -1
    for number in range(len(lines) - 1, -1, -1):
        last = number if number in levels else last
        out.append(last)
    return out[::-1]


def _levels(node: Written, indent: int, out: dict[int, tuple[int, int]]) -> None:
    """For each line that begins an entry of a block map or list: its column, and the one that it is to have."""
    if node.is_flow or node.kind == "scalar":
        return
    if node.kind == "map":
        for key, value in node.pairs():
            out.setdefault(key.start[0], (key.start[1], indent))
            _levels(value, indent + INDENT, out)
        return
    for item in node.children:
        line = item.start[0]
        out.setdefault(line, (node.start[1], indent))
        _levels(item, indent + INDENT, out)
