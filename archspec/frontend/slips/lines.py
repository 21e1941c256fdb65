"""Slips in how a line begins, goes on or is indented: dashes, colons, arguments and modifiers without braces."""

from __future__ import annotations

import re

from archspec.frontend.intended_arguments import arguments
from archspec.frontend.look_alikes import look_alike
from archspec.frontend.slips.stop import REACH, Slip, Stop, indent_of, line_at, near
from archspec.ir.diagnostics import amount
from archspec.ops.base import Op


def tab(stop: Stop) -> Slip | None:
    """A tab before a line's first word."""
    for row in near(stop):
        blank = stop.lines[row][: len(stop.lines[row]) - len(stop.lines[row].lstrip())]
        if "\t" in blank:
            return Slip(row, blank.index("\t"), 1, "a tab indents the line", "indent with spaces")
    return None


def look_alike_character(stop: Stop) -> Slip | None:
    """A character before or right after a line's first word that only looks like a space or colon."""
    for row in near(stop):
        line = stop.lines[row]
        text = line.partition(" #")[0]
        if (found := look_alike(text)) is not None:
            at = next(i for i, c in enumerate(text) if look_alike(c))
            blank = line[: len(line) - len(line.lstrip())]
            return Slip(
                row, at, 1, f"{found[0]} stands here", f"write {' ' * len(blank) * (at < len(blank))}{found[1]}"
            )
    return None


_DASH = re.compile(r"(\s*)-(?![-\s])(?=[\[{\"'A-Za-z_])")


def dash(stop: Stop) -> Slip | None:
    """``-flatten``: an item whose dash has no space."""
    for row in near(stop):
        line = stop.lines[row]
        if (match := _DASH.match(line)) is not None:
            at = len(match[1])
            return Slip(row, at, 1, "an item needs a space after its dash", f"- {line[at + 1 :].strip()}")
    return None


_GLUED = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*):(?=[^\s:/])(.+)", re.ASCII)


def glued(stop: Stop) -> Slip | None:
    """``name:lenet``: a key whose colon has no space."""
    for row in near(stop):
        match = _GLUED.match(stop.lines[row])
        if match is not None and ": " not in match[3]:
            at = len(match[1]) + len(match[2])
            return Slip(row, at, 1, "a colon needs a space after it", f"{match[2]}: {match[3].strip()}")
    return None


_SECOND = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*):\s+([A-Za-z_]\w*):(?:\s+(.+))?", re.ASCII)


_INNER = re.compile(r"([A-Za-z_]\w*):\s+([A-Za-z_]\w*:\s+(?:[^{}\[\],:]+|\{[^{}]*\}|\[[^\[\]]*\]))", re.ASCII)


_CHAINS = ("body", "do", "residual", "branches", "project", "augment", "metrics", "minimize")


_TEXTS = ("doc", "title", "notes", "authors", "source", "name")


_TEXT = re.compile(rf"(?:^|[{{,]|\s)({'|'.join(_TEXTS)}):\s+([^\"'{{\[,}}][^,}}\]]*)")


def two_colons(stop: Stop) -> Slip | None:
    """``dense: units: 200``: a map within a map without braces."""
    if "mapping values" not in stop.problem and "',' or" not in stop.problem:
        return None
    line = stop.line.partition(" #")[0].rstrip()
    for text in _TEXT.finditer(line):
        if text.start(2) < stop.column <= text.end():
            quote = "'" if '"' in text[2] else '"'
            help = f"{text[1]}: {quote}{text[2].strip()}{quote}"
            return Slip(stop.row, text.start(2), len(text[2].rstrip()), "a text with ': ' needs quotes", help)
    if (match := _SECOND.fullmatch(line)) is not None and "mapping values" in stop.problem:
        _lead, outer, inner, value = match.groups()
        opening, closing = "[]" if outer in _CHAINS else "{}"
        help = f"{outer}: {opening}{inner}: {value or '…'}{closing}"
        return Slip(stop.row, match.start(3), len(inner), "a second ': ' on one line", help)
    for within in _INNER.finditer(line):
        if within.end(1) < stop.column <= within.end():
            opening, closing = "[]" if within[1] in _CHAINS else "{}"
            rest = re.match(r"(?:,\s*(?!as:|when:|repeat:|each:|merge:)\w+: [\w.]+)+", line[within.end() :])
            more = rest[0] if rest is not None and within[1] == "from" else ""
            help = f"{within[1]}: {opening}{within[2].strip()}{more}{closing}"
            return Slip(stop.row, within.start(2), 1, "a second ': ' without braces", help)
    return None


_ITS_ARGUMENT = re.compile(r"\s*(?:- )?([A-Za-z_]\w*):\s+([^,:{}\[\]]+),\s*(\w+:.*)", re.ASCII)


def comma_then_key(stop: Stop) -> Slip | None:
    """``- conv: 8, kernel: 3``: several arguments without braces."""
    line = stop.line.partition(" #")[0].rstrip()
    match = _ITS_ARGUMENT.fullmatch(line)
    if match is None or "mapping values" not in stop.problem:
        return None
    name, value, rest = match.groups()
    keys = re.findall(r"(\w+):", rest)
    if all(key in ("as", "from", "when", "repeat", "each", "merge") for key in keys):
        help = f"{{{name}: {value}, {rest}}}"
    else:
        help = f"{name}: {arguments(name, f'{value}, {rest}') or f'{{…: {value}, {rest}}}'}"
    return Slip(stop.row, match.start(2), len(value), "several values without braces", help)


_BESIDE = re.compile(r"(\s*)- (.+?)\s*,?\s+((?:as|from|when|repeat|each|merge): .+)")


def modifier_beside(stop: Stop) -> Slip | None:
    """``- add: [a, b], as: m`` and ``- {conv: 8}, as: m``: a modifier beside an op without braces."""
    line = stop.line.partition(" #")[0].rstrip()
    match = _BESIDE.fullmatch(line)
    if match is None or not match.end(2) - 1 <= stop.column <= match.start(3):
        return None
    step = match[2].rstrip(", ")
    if step[:1] == "{" and step[-1:] == "}":
        step = step[1:-1]
    help = f"- {{{step}, {match[3]}}}"
    return Slip(stop.row, match.start(3) - 1, 1, "an op and its modifiers stand in braces", help)


_OPERANDS_AND_ARGUMENT = re.compile(r"(\s*)- (\w+): (\[[^\[\]{}]*\])\s*,\s*(\w+: [^\s,{}\[\]]+)")


def argument_beside(stop: Stop) -> Slip | None:
    """``- concat: [a, b], axis: 1``: an argument behind operands."""
    match = _OPERANDS_AND_ARGUMENT.fullmatch(stop.line.partition(" #")[0].rstrip())
    if match is None:
        return None
    help = f"- {{{match[2]}: {{{match[4]}}}, from: {match[3]}}}"
    return Slip(stop.row, match.end(3), 1, "operands and arguments of an op stand in braces", help)


_ITEM = re.compile(r"( *)- ")


_KEY = re.compile(r"( *(?:- +)?)[A-Za-z_][\w-]*:(?: |$)", re.ASCII)


def indentation(stop: Stop) -> Slip | None:
    """An item or key that is indented otherwise than those beside it."""
    kind = next((k for k in (_ITEM, _KEY) if k.match(stop.line)), None)
    if kind is None or (indent_of(stop.line) != stop.column and "mapping values" not in stop.problem):
        return None
    here, seen = indent_of(stop.line), 1 << 30
    levels: list[int] = []
    for row in range(stop.row - 1, max(-1, stop.row - REACH), -1):
        match = kind.match(stop.lines[row])
        if match is None or len(match[1]) >= seen or stop.lines[row].lstrip()[:1] == "#":
            continue
        seen = len(match[1])
        if seen == here:
            return None
        levels.append(seen)
        if seen < here:
            break
    # Of the levels that are open here the nearest, the inner one of two, unless it is that of what stands below.
    below = indent_of(line_at(stop.lines, stop.row + 1))
    near = min(levels, key=lambda level: (abs(level - here), level == below, -level), default=None)
    if near is None or abs(near - here) > 3:
        return None
    what = "item" if kind is _ITEM else "key"
    if (first := _first_alone(stop, kind, here, near)) is not None:
        return first
    if (modifier := _MODIFIER_ITEM.fullmatch(stop.line.partition(" #")[0].rstrip())) is not None:
        message = "a modifier stands beside its op, without a dash"
        return Slip(stop.row, here, 1, message, f"put it below the first letter of its op: {modifier[1]}")
    above = _OPENED.fullmatch(line_at(stop.lines, stop.row - 1).partition(" #")[0].rstrip())
    if above is not None and kind is _KEY and len(above[1]) == near and Op.find(above[2]) is not None:
        # Below an op without a value stand its arguments, further right than it.
        near += 2
        message = f"arguments of {above[2]} stand further right than it, this key at column {here + 1}"
        return Slip(stop.row, here, 1, message, f"put {near} spaces before it: {' ' * near}{stop.line.strip()}")
    message = f"this {what} stands at column {here + 1}, those beside it at {near + 1}"
    spaces = amount(near, "space")
    return Slip(stop.row, here, 1, message, f"put {spaces} before it: {' ' * near}{stop.line.strip()}")


_MODIFIER_ITEM = re.compile(r" *- ((?:as|from|when|repeat|each|merge): .+)")


_OPENED = re.compile(r"( *- )([A-Za-z_]\w*):\s*", re.ASCII)


_SECTIONS = ("params", "inputs", "defaults", "blocks", "networks", "heads", "variants", "use", "expect", "train", "set")
"""Sections that are maps of names."""


def dash_too_many(stop: Stop) -> Slip | None:
    """``- conv: {…}`` in a section of names, beside keys without a dash."""
    for row in range(min(stop.row, len(stop.lines) - 1), max(-1, stop.row - REACH), -1):
        line = stop.lines[row]
        if not line.strip() or line.lstrip()[:1] == "#":
            continue
        if indent_of(line) < indent_of(stop.line):
            section = line.strip().partition(":")[0]
            break
    else:
        return None
    if section not in _SECTIONS:
        return None
    here = indent_of(stop.line)
    beside = [r for r in range(row + 1, stop.row + 1) if indent_of(stop.lines[r]) == here]
    item = next((r for r in beside if re.match(r" *- +[A-Za-z_]\w*:(?: |$)", stop.lines[r])), None)
    if item is None or all(_ITEM.match(stop.lines[r]) for r in beside):
        return None
    message = f"{section} is a map of names, which have no dash"
    return Slip(item, here, 1, message, stop.lines[item].strip().removeprefix("-").strip())


def dash_missing(stop: Stop) -> Slip | None:
    """``{conv: 6}`` on a line of its own among steps with dashes."""
    line = stop.line
    if not _ITEM.match(line):
        return None
    above = line_at(stop.lines, stop.row - 1).partition(" #")[0].rstrip()
    here = indent_of(line)
    if indent_of(above) != here or above.lstrip()[:1] not in ("{", "[") or above[-1:] not in ("}", "]"):
        return None
    return Slip(stop.row - 1, here, 1, "a step in a list has a dash", f"- {above.strip()}")


def list_behind_key(stop: Stop) -> Slip | None:
    """``body: - conv: 6``."""
    found = re.match(r"(\s*(?:- )?[A-Za-z_]\w*:)\s+(- .*)", stop.line, re.ASCII)
    if found is None or "sequence entries" not in stop.problem:
        return None
    help = f"put it on a line of its own, below {found[1].strip()} {found[2].strip()}"
    return Slip(stop.row, found.start(2), 1, "a list begins on the line after its key", help)


def comma_behind(stop: Stop) -> Slip | None:
    """``params: {a: int},``: a comma, semicolon or word behind what a bracket closed."""
    found = re.fullmatch(r"(.*[}\]])\s*([,;.])\s*", stop.line.partition(" #")[0])
    if found is None or stop.column < len(found[1]):
        return None
    return Slip(stop.row, found.start(2), 1, f"nothing follows a closing bracket, got '{found[2]}'", found[1].strip())


def round_list(stop: Stop) -> Slip | None:
    """``- (conv: 8, relu)``: round brackets around a list."""
    found = re.search(r"(?:^\s*- |[:,\[]\s)\s*(\(([A-Za-z_]\w*:.*)\))\s*$", stop.line, re.ASCII)
    if found is None or not found.start(1) < stop.column or "mapping values" not in stop.problem:
        return None
    return Slip(stop.row, found.start(1), 1, "a list has square brackets", f"[{found[2]}]")


def _first_alone(stop: Stop, kind: re.Pattern[str], here: int, there: int) -> Slip | None:
    """The first item or key of several, where those after it all stand as the second does."""
    above, below = line_at(stop.lines, stop.row - 1), line_at(stop.lines, stop.row + 1)
    is_first = kind.match(above) is not None and indent_of(above) == there
    before = indent_of(line_at(stop.lines, stop.row - 2))
    if not is_first or not kind.match(below) or indent_of(below) != here or before >= there:
        return None
    what = "item" if kind is _ITEM else "key"
    message = f"this {what} stands at column {there + 1}, those beside it at {here + 1}"
    spaces = amount(here, "space")
    return Slip(stop.row - 1, there, 1, message, f"put {spaces} before it: {' ' * here}{above.strip()}")


_NO_COLON_THEN_BRACKET = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*)\s+([\[{].*)", re.ASCII)


def missing_colon_before_bracket(stop: Stop) -> Slip | None:
    """``inputs {image: [8]}``."""
    match = _NO_COLON_THEN_BRACKET.fullmatch(stop.line)
    if match is None:
        return None
    at = match.end(2)
    return Slip(stop.row, at, 1, f"a colon is missing after '{match[2]}'", f"{match[2]}: {match[3].strip()}")


_NO_COLON = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*)(\s+\S.*)?", re.ASCII)


def missing_colon(stop: Stop) -> Slip | None:
    """A line without the colon that the lines below it need."""
    if "mapping values" not in stop.problem and "expected ':'" not in stop.problem:
        return None
    last = stop.row - ("mapping values" in stop.problem)
    begun = _NO_COLON.fullmatch(line_at(stop.lines, stop.began[0]).partition(" #")[0].rstrip())
    is_key = "expected ':'" in stop.problem and begun is not None and ":" not in (begun[3] or "")
    for row in [stop.began[0]] if is_key else range(last, max(last - 3, -1), -1):
        line = line_at(stop.lines, row).partition(" #")[0].rstrip()
        if not line.strip():
            continue
        match = _NO_COLON.fullmatch(line)
        if match is None or ":" in (match[3] or "").partition("{")[0].partition("[")[0]:
            return None
        if match[3] is None and indent_of(line_at(stop.lines, row + 1)) > indent_of(line) and "-" not in match[1]:
            return Slip(row, match.end(2), 1, f"a colon is missing after '{match[2]}'", f"{match[2]}:")
        at = match.end(2)
        if match[3] is None and "-" not in match[1] and Op.find(match[2]) is not None:
            message = f"'{match[2]}' is no item: its dash is missing"
            return Slip(row, match.start(2), len(match[2]), message, f"- {match[2]}")
        return Slip(row, at, 1, f"a colon is missing after '{match[2]}'", f"{match[2]}:{match[3] or ''}")
    return None


_ASSIGNED = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*)\s*=\s*([^=\s].*)", re.ASCII)


def assigned(stop: Stop) -> Slip | None:
    """``loss=mse`` on a line of its own."""
    for row in (stop.began[0], *range(stop.row, max(stop.row - 3, -1), -1)):
        line = line_at(stop.lines, row).partition(" #")[0].rstrip()
        if (match := _ASSIGNED.fullmatch(line)) is not None:
            at = match.end(2)
            return Slip(row, at, 1, "a colon stands between a key and its value", f"{match[2]}: {match[3]}")
    return None


def arguments_below(stop: Stop) -> Slip | None:
    """A value on a key's line and more arguments below it."""
    if "mapping values" not in stop.problem:
        return None
    above = line_at(stop.lines, stop.row - 1).partition(" #")[0].rstrip()
    match = re.fullmatch(r"(\s*(?:- )?)([A-Za-z_]\w*):\s+([^{}\[\]:]+)", above, re.ASCII)
    own = re.fullmatch(r"\s*([A-Za-z_]\w*):.*", stop.line, re.ASCII)
    if match is None or own is None or indent_of(stop.line) <= indent_of(above):
        return None
    found = arguments(match[2], f"{match[3]}, {stop.line.partition(' #')[0].strip()}")
    if found is None:
        return None
    message = f"'{match[2]}' has a value already, and cannot have a map below it"
    return Slip(stop.row, indent_of(stop.line), len(own[1]), message, f"{match[2]}: {found}")


_BULLET = re.compile(r"(\s*)([*+•])\s+(\S.*)")


def bullet(stop: Stop) -> Slip | None:
    """``* conv: 8``."""
    for row in near(stop):
        if (match := _BULLET.fullmatch(line_at(stop.lines, row))) is not None:
            at = len(match[1])
            return Slip(row, at, 1, "an item of a list starts with a dash", f"- {match[3]}")
    return None
