"""Slips within a value: brackets, quotes and commas, expressions and signs of other languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from archspec.frontend.expressions import is_expression, written
from archspec.frontend.slips.stop import REACH, Slip, Stop, indent_of, line_at
from archspec.frontend.spellings import corrected

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


def unclosed(stop: Stop) -> Slip | None:
    """A bracket that is not closed, closed by the other kind, or closed twice."""
    first = stop.began[0] if "flow" in stop.context else stop.row
    if stop.row - first > REACH:
        return None
    opened, wrong = _brackets(stop.lines, first, max(stop.row, first))
    if wrong is not None:
        bracket, row, column = wrong
        line = stop.lines[row]
        if not bracket.sign and (opened_at := _unopened(line, column)) is not None:
            return Slip(row, column, 1, f"'{line[column]}' closes what nothing opens", opened_at)
        if not bracket.sign:
            return Slip(row, column, 1, f"unmatched '{line[column]}'", f"{line[:column]}{line[column + 1 :]}".strip())
        closing = _PAIRS[bracket.sign]
        message = f"'{bracket.sign}' is not closed before '{line[column]}'"
        tries = [f"{line[:column]}{closing}{line[column + n :]}" for n in (1, 0)]
        if bracket.sign == "[" and (end := _scalars(line, bracket.column, column)) is not None:
            tries.insert(0, f"{line[:end]}]{line[end:]}")
        fixed = next((t.strip() for t in tries if _brackets([t], 0, 0) == ([], None)), f"'{closing}' closes it")
        return Slip(bracket.row, bracket.column, 1, message, fixed)
    begun = [b for b in opened if b.row < stop.row] or (opened if stop.column >= len(stop.line.rstrip()) else [])
    if not begun or "flow" not in stop.context:
        return None
    bracket = begun[-1]
    line = stop.lines[bracket.row]
    closing = "".join(_PAIRS[b.sign] for b in reversed(begun) if b.row == bracket.row)
    text = line.partition(" #")[0].rstrip().rstrip(",")
    beside = re.search(r",\s*(?:as|from|when|repeat|each|merge): ", text[bracket.column :])
    own = text[bracket.column :].find("{", 1)
    if closing == "}" and beside is not None and 0 < own < beside.start():
        at = bracket.column + beside.start()
        tried = f"{text[:at]}}}{text[at:]}"
        if _brackets([tried], 0, 0) == ([], None):
            text, closing = tried, ""
    return Slip(bracket.row, bracket.column, 1, f"'{bracket.sign}' is not closed", f"{text}{closing}".strip())


def _scalars(line: str, opened: int, column: int) -> int | None:
    """Where a list of words and numbers ends whose bracket is missing before the next key: ``[12, 24, size: 8}``."""
    inner = line[opened + 1 : column]
    found = re.match(r"\s*[^\s,:\[\]{}]+(?:\s*,\s*[^\s,:\[\]{}]+)*(?=\s*,\s*[A-Za-z_]\w*: )", inner, re.ASCII)
    return None if found is None else opened + 1 + found.end()


_OPENS = {"}": "{", "]": "["}


def _unopened(line: str, column: int) -> str | None:
    """``- conv: 16, as: C3}`` with the bracket that is missing at its beginning."""
    text = line[: column + 1].strip()
    inner = text.removeprefix("- ")
    if line[column + 1 :].partition("#")[0].strip() or not re.search(r",\s*[A-Za-z_]\w*(?::|\s*\])", inner[:-1]):
        return None
    if _brackets([inner[:-1]], 0, 0) != ([], None):
        return None
    key = re.match(r"([A-Za-z_]\w*:\s+)(?=[A-Za-z_]\w*: )", inner, re.ASCII)
    at = key.end() if key is not None else 0
    lead = "- " if text != inner else ""
    return f"{lead}{inner[:at]}{_OPENS[line[column]]}{inner[at:]}"


_VALUE = re.compile(r"(?:^|[:,\[{])\s*(=(?=[^\"'{}]))")


def expression(stop: Stop) -> Slip | None:
    """An expression in another language's spelling, whose colon or bracket YAML reads."""
    line = stop.line
    start = max((m.start(1) for m in _VALUE.finditer(line) if m.start(1) < stop.column), default=None)
    if start is None or any(c in line[start + 1 : stop.column - 1] for c in "\"'{}"):
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


_WORD_INDEX = re.compile(r"(?<![\w\"'=.])([A-Za-z_][\w.]{0,60}(?:\[[^\[\]\"']{1,60}\]){1,4}(?:\.\w+)?)", re.ASCII)


def list_arithmetic(stop: Stop) -> Slip | None:
    """``[2]*6``: arithmetic with lists outside of an expression."""
    for match in _REPEATED.finditer(stop.line):
        if match.start() <= stop.column <= match.end():
            expression = f"{match[1]} {match[2]} {match[3]}"
            if is_expression(expression):
                help = f"an expression starts with '=': {written(expression)}"
                return Slip(stop.row, match.start(), len(match[0]), "not a list", help)
    return None


def index(stop: Stop) -> Slip | None:
    """``from: p[i]`` within braces."""
    for match in _WORD_INDEX.finditer(stop.line):
        if match.start() < stop.column <= match.end() + 1:
            message = "brackets end a value inside {…} and […]"
            return Slip(
                stop.row, match.start(1), len(match[1]), message, f'quote a reference with an index: "{match[1]}"'
            )
    return None


_SLASHES = re.compile(r"(\s*)(.{0,200}?\S)\s+//\s*(.*)")


def slashes(stop: Stop) -> Slip | None:
    """A comment that begins with ``//``."""
    match = _SLASHES.fullmatch(stop.line) if stop.line[stop.column :].startswith("//") else None
    if match is None:
        return None
    help = f"a comment starts with '#': {match[2]}  # {match[3]}"
    return Slip(stop.row, stop.column, 2, "'//' begins no comment", help)


_CANNOT_START = re.compile(r"[@%`]\{?([A-Za-z_]\w*)", re.ASCII)


def cannot_start(stop: Stop) -> Slip | None:
    """``@width``, ``%width``, `` `width` ``."""
    if "cannot start" not in stop.problem:
        return None
    if (share := re.compile(r"%\s*(\d{1,3})(?![\w.])").match(stop.line, stop.column)) is not None:
        help = f"a share of 1: {int(share[1]) / 100:g}"
        return Slip(stop.row, stop.column, len(share[0]), "a value cannot start with '%'", help)
    match = _CANNOT_START.match(stop.line, stop.column)
    if match is None:
        return None
    return Slip(
        stop.row,
        stop.column,
        len(match[0]),
        f"a value cannot start with '{match[0][0]}'",
        f"a parameter is written ={match[1]}",
    )


_BRACED = re.compile(r"\$\{(?:[A-Za-z_]\w*\.){0,3}([A-Za-z_]\w*)\}|\{\{\s*([A-Za-z_]\w*)\s*\}\}", re.ASCII)
_ENVIRONMENT = re.compile(r"\$\{[\w.]*env[\w.]*[:.](\w+)[^}]*\}", re.ASCII | re.IGNORECASE)


def braced(stop: Stop) -> Slip | None:
    """``${width}`` and ``{{width}}``."""
    for match in _ENVIRONMENT.finditer(stop.line):
        if match.start() <= stop.column <= match.end():
            help = "no file reads the environment: write a value, which --set NAME=VALUE changes"
            return Slip(stop.row, match.start(), len(match[0]), "not a value", help)
    for match in _BRACED.finditer(stop.line):
        if match.start() <= stop.column <= match.end():
            help = f"a parameter is written ={match[1] or match[2]}"
            return Slip(stop.row, match.start(), len(match[0]), "not a value", help)
    return None


_MISSING_COMMA = re.compile(r"(\w{1,60}: [\w.=\"']{1,60})(?:\s?;\s?| )(\w{1,60}): ")


def missing_comma(stop: Stop) -> Slip | None:
    """``{filters: 8 kernel: 3}``."""
    for match in _MISSING_COMMA.finditer(stop.line):
        if match.start(2) <= stop.column <= match.end() and "',' or" in stop.problem:
            return Slip(stop.row, match.end(1), 1, "a comma is missing", f"{match[1]}, {match[2]}: …")
    bracket = re.search(r"[\]}](\s+)$", stop.line[: stop.column])
    own = re.match(r"([A-Za-z_]\w*):(?: |$)", stop.line[stop.column :], re.ASCII)
    if bracket is not None and own is not None and "',' or" in stop.problem:
        return Slip(stop.row, bracket.start(1), 1, "a comma is missing", f"…{bracket[0][0]}, {own[1]}: …")
    quoted = re.search(r"(\"[^\"]{1,60}\"|'[^']{1,60}')\s+$", stop.line[: stop.column])
    if quoted is not None and "',' or" in stop.problem and re.match(r"[\w=\"']", stop.line[stop.column :]):
        rest = re.match(r"[\w.=]{1,60}|\"[^\"]{1,60}\"", stop.line[stop.column :])
        help = f"{quoted[1]}, {rest[0] if rest is not None else '…'}"
        return Slip(stop.row, quoted.end(1), 1, "a comma is missing", help)
    above = line_at(stop.lines, stop.row - 1).partition(" #")[0].rstrip()
    opener = line_at(stop.lines, stop.began[0])[stop.began[1] : stop.began[1] + 1]
    is_map = opener != "[" and "flow sequence" not in stop.context
    if is_map and "',' or" in stop.problem and stop.began[0] < stop.row and above[-1:] not in (",", "{", "[", ""):
        own = re.match(r"\s*[A-Za-z_]\w*:", stop.line, re.ASCII)
        if own is not None and indent_of(stop.line) > indent_of(stop.lines[stop.began[0]]):
            return Slip(stop.row - 1, len(above), 1, "a comma is missing", f"{above.strip()},")
    return None


_SUM = re.compile(r"(\"[^\"]{1,60}\"|[A-Za-z_]\w*)\s*([-+*])\s*(\"[^\"]{1,60}\"|[A-Za-z_]\w*)", re.ASCII)


def merged(stop: Stop) -> Slip | None:
    """``{"p[3]" + prev, as: m}``: results that meet in the place of a step."""
    if "',' or" not in stop.problem:
        return None
    from archspec.frontend.intended_words import merge_of

    for match in _SUM.finditer(stop.line):
        if match.start() <= stop.column <= match.end() and '"' in match[0]:
            return Slip(stop.row, match.start(), len(match[0]), "not a step", merge_of(match[0].replace('"', "")))
    return None


def quote(stop: Stop) -> Slip | None:
    """A quote that is not closed."""
    if "quoted scalar" not in stop.context:
        return None
    row, column = stop.began
    line = line_at(stop.lines, row)
    sign = line[column : column + 1]
    text = re.split(r"[,}\]#]", line[column:])[0].rstrip()
    other = "'" if sign == '"' else '"'
    if (end := line.find(other, column + 1)) > 0 and sign not in line[column + 1 : end]:
        inside = line[column + 1 : end]
        return Slip(row, column, 1, f"a quote ends as it begins, with {sign}", f"{other}{inside}{other}")
    if text == sign:
        return Slip(row, column, 1, f"{sign} opens nothing", f"{line[:column]}{line[column + 1 :]}".strip())
    return Slip(row, column, 1, f"{sign} is not closed", f"{text}{sign}" if text.count(sign) == 1 else None)


def quote_before(stop: Stop) -> Slip | None:
    """A quote that was opened lines before, and closed by the opening one of another value."""
    if "expected" not in stop.problem or '"' not in stop.line:
        return None
    for row in range(stop.row - 1, max(-1, stop.row - 12), -1):
        line = stop.lines[row]
        found = re.search(r"(?::|,|-|\[)\s+(\"[^\"#,}\]]*)\s*$", line)
        if found is not None and line.count('"') % 2:
            return Slip(row, found.start(1), 1, '" is not closed', f'{found[1].rstrip()}"')
    return None


def negation(stop: Stop) -> Slip | None:
    """``when: !x``, which YAML reads as a tag."""
    match = re.match(r"!\s*([^,}\]#]+)", stop.line[stop.began[1] :]) if "tag" in stop.context else None
    if match is None or not is_expression(match[1].strip()):
        return None
    help = f"'not' is a word: {written(f'not {match[1].strip()}')}"
    return Slip(stop.row, stop.began[1], len(match[0].rstrip()), "not an expression", help)
