"""Slips of the hand in YAML that its parser refuses, told at the line that is wrong.

The parser says where it could not go on, which is often a line later than the slip. Every reader looks at the lines
around, and says what is wrong, where, and what to write instead, or None where it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from archspec.frontend.expressions import is_expression, written
from archspec.frontend.intended import arguments, look_alike
from archspec.frontend.spellings import corrected
from archspec.ops.base import Op

MAX_LINE = 400
"""Longer lines are not looked at: the patterns take time that grows with the square of a line."""
REACH = 400
"""Lines that are looked at on either side."""


class Stop(NamedTuple):
    """Where a parser could not go on (0-based), why, and where what it was reading began."""

    lines: Sequence[str]
    row: int
    column: int
    problem: str
    began: tuple[int, int]
    context: str

    @property
    def line(self) -> str:
        """The line where it stopped."""
        return self.lines[self.row] if self.row < len(self.lines) else ""


class Slip(NamedTuple):
    """A slip: where (0-based line, column and length), what is wrong, and what to write instead."""

    row: int
    column: int
    length: int
    message: str
    help: str | None


def slip(
    lines: Sequence[str], row: int, column: int, problem: str, began: tuple[int, int], context: str
) -> Slip | None:
    """The slip behind what stopped the parser."""
    stop = Stop(lines, row, column, problem, began, context)
    if any(len(line) > MAX_LINE for line in {stop.line, _line(lines, row - 1), _line(lines, began[0])}):
        return None
    readers = WITHOUT_COLON if "expected ':'" in problem else READERS
    return next((found for reader in readers if (found := reader(stop))), None)


def _line(lines: Sequence[str], row: int) -> str:
    return lines[row] if 0 <= row < len(lines) else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _near(stop: Stop) -> list[int]:
    """The line where the parser stopped, and those before it back to where it began."""
    first = max(stop.began[0] if stop.context.startswith("while scanning") else stop.row - 1, stop.row - 3, 0)
    return [row for row in range(min(stop.row, len(stop.lines) - 1), first - 1, -1) if stop.lines[row].strip()]


def _tab(stop: Stop) -> Slip | None:
    """A tab before a line's first word."""
    for row in _near(stop):
        blank = stop.lines[row][: len(stop.lines[row]) - len(stop.lines[row].lstrip())]
        if "\t" in blank:
            return Slip(row, blank.index("\t"), 1, "a tab indents the line", "indent with spaces")
    return None


def _look_alike(stop: Stop) -> Slip | None:
    """A character before or right after a line's first word that only looks like a space or colon."""
    for row in _near(stop):
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


def _dash(stop: Stop) -> Slip | None:
    """``-flatten``: an item whose dash has no space."""
    for row in _near(stop):
        line = stop.lines[row]
        if (match := _DASH.match(line)) is not None:
            at = len(match[1])
            return Slip(row, at, 1, "an item needs a space after its dash", f"- {line[at + 1 :].strip()}")
    return None


_GLUED = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*):(?=[^\s:/])(.+)", re.ASCII)


def _glued(stop: Stop) -> Slip | None:
    """``name:lenet``: a key whose colon has no space."""
    for row in _near(stop):
        match = _GLUED.match(stop.lines[row])
        if match is not None and ": " not in match[3]:
            at = len(match[1]) + len(match[2])
            return Slip(row, at, 1, "a colon needs a space after it", f"{match[2]}: {match[3].strip()}")
    return None


_PAIRS = {"[": "]", "{": "}"}


class Bracket(NamedTuple):
    """A bracket that is open: its sign and place."""

    sign: str
    row: int
    column: int


def _brackets(lines: Sequence[str], first: int, last: int) -> tuple[list[Bracket], tuple[Bracket, int, int] | None]:
    """Brackets that stay open from one line to another, and the first that meets a wrong end, with where it does."""
    opened: list[Bracket] = []
    for row in range(first, min(last + 1, len(lines))):
        line, quote = lines[row], ""
        for column, c in enumerate(line):
            if quote:
                quote = "" if c == quote else quote
            elif c in "\"'" and (not column or line[column - 1] in " [{(,=+"):
                quote = c
            elif c == "#" and (not column or line[column - 1] == " "):
                break
            elif c in "[{":
                opened.append(Bracket(c, row, column))
            elif c in "]}" and opened:
                if _PAIRS[opened[-1].sign] != c:
                    return opened, (opened[-1], row, column)
                opened.pop()
            elif c in "]}":
                return opened, (Bracket("", row, column), row, column)
    return opened, None


def _unclosed(stop: Stop) -> Slip | None:
    """A bracket that is not closed, closed by the other kind, or closed twice."""
    first = stop.began[0] if "flow" in stop.context else stop.row
    if stop.row - first > REACH:
        return None
    opened, wrong = _brackets(stop.lines, first, max(stop.row, first))
    if wrong is not None:
        bracket, row, column = wrong
        line = stop.lines[row]
        if not bracket.sign:
            return Slip(
                row, column, 1, f"'{line[column]}' closes nothing", f"{line[:column]}{line[column + 1 :]}".strip()
            )
        closing = _PAIRS[bracket.sign]
        message = f"'{bracket.sign}' is not closed before '{line[column]}'"
        tries = [f"{line[:column]}{closing}{line[column + n :]}" for n in (1, 0)]
        fixed = next((t.strip() for t in tries if _brackets([t], 0, 0) == ([], None)), f"'{closing}' closes it")
        return Slip(bracket.row, bracket.column, 1, message, fixed)
    begun = [b for b in opened if b.row < stop.row] or (opened if stop.column >= len(stop.line.rstrip()) else [])
    if not begun or "flow" not in stop.context:
        return None
    bracket = begun[-1]
    line = stop.lines[bracket.row]
    closing = "".join(_PAIRS[b.sign] for b in reversed(begun) if b.row == bracket.row)
    text = line.partition(" #")[0].rstrip().rstrip(",")
    return Slip(bracket.row, bracket.column, 1, f"'{bracket.sign}' is not closed", f"{text}{closing}".strip())


_SECOND = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*):\s+([A-Za-z_]\w*):(?:\s+(.+))?", re.ASCII)
_INNER = re.compile(r"([A-Za-z_]\w*):\s+([A-Za-z_]\w*:\s+(?:[^{}\[\],:]+|\{[^{}]*\}|\[[^\[\]]*\]))", re.ASCII)
_CHAINS = ("body", "do", "residual", "branches", "project")
_TEXTS = ("doc", "title", "notes", "authors", "source", "name")
_TEXT = re.compile(rf"(?:^|[{{,]|\s)({'|'.join(_TEXTS)}):\s+([^\"'{{\[,}}][^,}}\]]*)")


def _two_colons(stop: Stop) -> Slip | None:
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
            help = f"{within[1]}: {opening}{within[2].strip()}{closing}"
            return Slip(stop.row, within.start(2), 1, "a second ': ' without braces", help)
    return None


_ITS_ARGUMENT = re.compile(r"\s*(?:- )?([A-Za-z_]\w*):\s+([^,:{}\[\]]+),\s*(\w+:.*)", re.ASCII)
_VALUE = re.compile(r"(?:^|[:,\[{])\s*(=[^\"'{}]*)")


def _comma_then_key(stop: Stop) -> Slip | None:
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


def _expression(stop: Stop) -> Slip | None:
    """An expression in another language's spelling, whose colon or bracket YAML reads."""
    line = stop.line
    start = next((m.start(1) for m in _VALUE.finditer(line) if m.start(1) < stop.column <= m.end(1) + 1), None)
    if start is None:
        return None
    rest = line[start + 1 :].rstrip()
    ends = [*[i for i, c in enumerate(rest) if c in ",}]"][:24], len(rest)]
    for end in ends:
        text = rest[:end].strip()
        if (end < len(rest) and text.count("(") != text.count(")")) or text.count("[") != text.count("]"):
            continue
        found = corrected(text, is_expression)
        if found is not None:
            return Slip(stop.row, start, end + 1, "not an expression", f"{found[0]}: {written(found[1])}")
        if is_expression(text) and any(c in text for c in ",[]"):
            message = "brackets and commas end a value inside {…} and […]"
            return Slip(stop.row, start, end + 1, message, f"quote the expression: {written(text)}")
    return None


_REPEATED = re.compile(r"(\[[^\[\]]{0,80}\])\s*([*+])\s*(\[[^\[\]]{0,80}\]|[\w.()]{1,40})")
_WORD_INDEX = re.compile(r"(?<![\w\"'=.])([A-Za-z_][\w.]{0,60}\[[^\[\]\"']{1,60}\](?:\.\w+)?)", re.ASCII)


def _list_arithmetic(stop: Stop) -> Slip | None:
    """``[2]*6``: arithmetic with lists outside of an expression."""
    for match in _REPEATED.finditer(stop.line):
        if match.start() <= stop.column <= match.end():
            expression = f"{match[1]} {match[2]} {match[3]}"
            if is_expression(expression):
                help = f"an expression starts with '=': {written(expression)}"
                return Slip(stop.row, match.start(), len(match[0]), "not a list", help)
    return None


def _index(stop: Stop) -> Slip | None:
    """``from: p[i]`` within braces."""
    for match in _WORD_INDEX.finditer(stop.line):
        if match.start() < stop.column <= match.end() + 1:
            message = "brackets end a value inside {…} and […]"
            return Slip(
                stop.row, match.start(1), len(match[1]), message, f'quote a reference with an index: "{match[1]}"'
            )
    return None


_BESIDE = re.compile(r"(\s*)- (.+?)\s*,?\s+((?:as|from|when|repeat|each|merge): .+)")


def _modifier_beside(stop: Stop) -> Slip | None:
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


_ITEM = re.compile(r"( *)- ")
_KEY = re.compile(r"( *(?:- +)?)[A-Za-z_][\w-]*:(?: |$)", re.ASCII)


def _indentation(stop: Stop) -> Slip | None:
    """An item or key that is indented otherwise than those beside it."""
    kind = next((k for k in (_ITEM, _KEY) if k.match(stop.line)), None)
    if kind is None or (_indent(stop.line) != stop.column and "mapping values" not in stop.problem):
        return None
    here, seen = _indent(stop.line), 1 << 30
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
    below = _indent(_line(stop.lines, stop.row + 1))
    near = min(levels, key=lambda level: (abs(level - here), level == below, -level), default=None)
    if near is None or abs(near - here) > 3:
        return None
    what = "item" if kind is _ITEM else "key"
    if (first := _first_alone(stop, kind, here, near)) is not None:
        return first
    message = f"this {what} stands at column {here + 1}, those beside it at {near + 1}"
    spaces = f"{near} space{'s' * (near != 1)}"
    return Slip(stop.row, here, 1, message, f"put {spaces} before it: {' ' * near}{stop.line.strip()}")


def _first_alone(stop: Stop, kind: re.Pattern[str], here: int, there: int) -> Slip | None:
    """The first item or key of several, where those after it all stand as the second does."""
    above, below = _line(stop.lines, stop.row - 1), _line(stop.lines, stop.row + 1)
    is_first = kind.match(above) is not None and _indent(above) == there
    before = _indent(_line(stop.lines, stop.row - 2))
    if not is_first or not kind.match(below) or _indent(below) != here or before >= there:
        return None
    what = "item" if kind is _ITEM else "key"
    message = f"this {what} stands at column {there + 1}, those beside it at {here + 1}"
    spaces = f"{here} space{'s' * (here != 1)}"
    return Slip(stop.row - 1, there, 1, message, f"put {spaces} before it: {' ' * here}{above.strip()}")


_NO_COLON_THEN_BRACKET = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*)\s+([\[{].*)", re.ASCII)


def _missing_colon_before_bracket(stop: Stop) -> Slip | None:
    """``inputs {image: [8]}``."""
    match = _NO_COLON_THEN_BRACKET.fullmatch(stop.line)
    if match is None:
        return None
    at = match.end(2)
    return Slip(stop.row, at, 1, f"a colon is missing after '{match[2]}'", f"{match[2]}: {match[3].strip()}")


_NO_COLON = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*)(\s+\S.*)?", re.ASCII)


def _missing_colon(stop: Stop) -> Slip | None:
    """A line without the colon that the lines below it need."""
    if "mapping values" not in stop.problem and "expected ':'" not in stop.problem:
        return None
    last = stop.row - ("mapping values" in stop.problem)
    begun = _NO_COLON.fullmatch(_line(stop.lines, stop.began[0]).partition(" #")[0].rstrip())
    is_key = "expected ':'" in stop.problem and begun is not None and ":" not in (begun[3] or "")
    for row in [stop.began[0]] if is_key else range(last, max(last - 3, -1), -1):
        line = _line(stop.lines, row).partition(" #")[0].rstrip()
        if not line.strip():
            continue
        match = _NO_COLON.fullmatch(line)
        if match is None or ":" in (match[3] or "").partition("{")[0].partition("[")[0]:
            return None
        if match[3] is None and _indent(_line(stop.lines, row + 1)) > _indent(line) and "-" not in match[1]:
            return Slip(row, match.end(2), 1, f"a colon is missing after '{match[2]}'", f"{match[2]}:")
        at = match.end(2)
        if match[3] is None and "-" not in match[1] and Op.find(match[2]) is not None:
            message = f"'{match[2]}' is no item: its dash is missing"
            return Slip(row, match.start(2), len(match[2]), message, f"- {match[2]}")
        return Slip(row, at, 1, f"a colon is missing after '{match[2]}'", f"{match[2]}:{match[3] or ''}")
    return None


_ASSIGNED = re.compile(r"(\s*(?:- )?)([A-Za-z_]\w*)\s*=\s*([^=\s].*)", re.ASCII)


def _assigned(stop: Stop) -> Slip | None:
    """``loss=mse`` on a line of its own."""
    for row in (stop.began[0], *range(stop.row, max(stop.row - 3, -1), -1)):
        line = _line(stop.lines, row).partition(" #")[0].rstrip()
        if (match := _ASSIGNED.fullmatch(line)) is not None:
            at = match.end(2)
            return Slip(row, at, 1, "a colon stands between a key and its value", f"{match[2]}: {match[3]}")
    return None


_SLASHES = re.compile(r"(\s*)(.{0,200}?\S)\s+//\s*(.*)")


def _slashes(stop: Stop) -> Slip | None:
    """A comment that begins with ``//``."""
    match = _SLASHES.fullmatch(stop.line) if stop.line[stop.column :].startswith("//") else None
    if match is None:
        return None
    help = f"a comment starts with '#': {match[2]}  # {match[3]}"
    return Slip(stop.row, stop.column, 2, "'//' begins no comment", help)


def _arguments_below(stop: Stop) -> Slip | None:
    """A value on a key's line and more arguments below it."""
    if "mapping values" not in stop.problem:
        return None
    above = _line(stop.lines, stop.row - 1).partition(" #")[0].rstrip()
    match = re.fullmatch(r"(\s*(?:- )?)([A-Za-z_]\w*):\s+([^{}\[\]:]+)", above, re.ASCII)
    own = re.fullmatch(r"\s*([A-Za-z_]\w*):.*", stop.line, re.ASCII)
    if match is None or own is None or _indent(stop.line) <= _indent(above):
        return None
    found = arguments(match[2], f"{match[3]}, {stop.line.partition(' #')[0].strip()}")
    if found is None:
        return None
    message = f"'{match[2]}' has a value already, and cannot have a map below it"
    return Slip(stop.row, _indent(stop.line), len(own[1]), message, f"{match[2]}: {found}")


_CANNOT_START = re.compile(r"[@%`]\{?([A-Za-z_]\w*)", re.ASCII)


def _cannot_start(stop: Stop) -> Slip | None:
    """``@width``, ``%width``, `` `width` ``."""
    match = _CANNOT_START.match(stop.line, stop.column) if "cannot start" in stop.problem else None
    if match is None:
        return None
    return Slip(
        stop.row,
        stop.column,
        len(match[0]),
        f"a value cannot start with '{match[0][0]}'",
        f"a parameter is written ={match[1]}",
    )


_BRACED = re.compile(r"\$\{([A-Za-z_]\w*)\}|\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)


def _braced(stop: Stop) -> Slip | None:
    """``${width}`` and ``{{width}}``."""
    for match in _BRACED.finditer(stop.line):
        if match.start() <= stop.column <= match.end():
            help = f"a parameter is written ={match[1] or match[2]}"
            return Slip(stop.row, match.start(), len(match[0]), "not a value", help)
    return None


_MISSING_COMMA = re.compile(r"(\w{1,60}: [\w.=\"']{1,60})(?:\s?;\s?| )(\w{1,60}): ")


def _missing_comma(stop: Stop) -> Slip | None:
    """``{filters: 8 kernel: 3}``."""
    for match in _MISSING_COMMA.finditer(stop.line):
        if match.start(2) <= stop.column <= match.end() and "',' or" in stop.problem:
            return Slip(stop.row, match.end(1), 1, "a comma is missing", f"{match[1]}, {match[2]}: …")
    above = _line(stop.lines, stop.row - 1).partition(" #")[0].rstrip()
    if "',' or" in stop.problem and stop.began[0] < stop.row and above[-1:] not in (",", "{", "[", ""):
        own = re.match(r"\s*[A-Za-z_]\w*:", stop.line, re.ASCII)
        if own is not None and _indent(stop.line) > _indent(stop.lines[stop.began[0]]):
            return Slip(stop.row - 1, len(above), 1, "a comma is missing", f"{above.strip()},")
    return None


def _quote(stop: Stop) -> Slip | None:
    """A quote that is not closed."""
    if "quoted scalar" not in stop.context:
        return None
    row, column = stop.began
    line = _line(stop.lines, row)
    sign = line[column : column + 1]
    text = re.split(r"[,}\]#]", line[column:])[0].rstrip()
    if text == sign:
        return Slip(row, column, 1, f"{sign} opens nothing", f"{line[:column]}{line[column + 1 :]}".strip())
    return Slip(row, column, 1, f"{sign} is not closed", f"{text}{sign}" if text.count(sign) == 1 else None)


def _negation(stop: Stop) -> Slip | None:
    """``when: !x``, which YAML reads as a tag."""
    match = re.match(r"!\s*([^,}\]#]+)", stop.line[stop.began[1] :]) if "tag" in stop.context else None
    if match is None or not is_expression(match[1].strip()):
        return None
    help = f"'not' is a word: {written(f'not {match[1].strip()}')}"
    return Slip(stop.row, stop.began[1], len(match[0].rstrip()), "not an expression", help)


READERS: tuple[Callable[[Stop], Slip | None], ...] = (
    _tab,
    _negation,
    _quote,
    _slashes,
    _cannot_start,
    _braced,
    _missing_colon_before_bracket,
    _list_arithmetic,
    _expression,
    _index,
    _missing_comma,
    _unclosed,
    _modifier_beside,
    _comma_then_key,
    _two_colons,
    _dash,
    _look_alike,
    _glued,
    _arguments_below,
    _assigned,
    _indentation,
    _missing_colon,
)
"""In the order in which they are asked."""
WITHOUT_COLON = (_tab, _dash, _look_alike, _glued, _assigned, _missing_colon)
"""Those that are asked where a line without a colon made the parser stop at the next."""


_NUMBERS = re.compile(
    r"([A-Za-z_]\w*):\s*\(?\s*(-?\d+(?:\s*,\s*-?\d+){1,7})\s*\)?(?=\s*(?:[}\]]|,\s*[A-Za-z_]|$))", re.ASCII
)


def numbers_apart(line: str, column: int) -> tuple[int, str] | None:
    """``{image: 32, 32, 1}`` or ``{weight: 0,3}`` around a column: where the value begins, and what to write."""
    if len(line) > MAX_LINE:
        return None
    for match in _NUMBERS.finditer(line):
        if match.start(2) <= column <= match.end():
            parts = [part.strip() for part in match[2].split(",")]
            if len(parts) == 2 and "," + parts[1] in match[2] and (parts[0].lstrip("-") == "0" or match[1] in _SHARES):
                return match.start(2), f"a decimal point is a point: {match[1]}: {parts[0]}.{parts[1]}"
            return match.start(2), f"a list needs brackets: {match[1]}: [{', '.join(parts)}]"
    return None


_SHARES = ("rate", "weight", "momentum", "epsilon", "dropout", "alpha", "slope", "stddev", "label_smoothing")
