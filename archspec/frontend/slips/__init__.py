"""Slips of the hand in YAML that its parser refuses, told at the line that is wrong.

The parser says where it could not go on, which is often a line later than the slip. Every reader looks at the lines
around, and says what is wrong, where, and what to write instead, or None where it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from archspec.frontend.slips.lines import (
    argument_beside,
    arguments_below,
    assigned,
    bullet,
    comma_behind,
    comma_then_key,
    dash,
    dash_missing,
    dash_too_many,
    glued,
    indentation,
    list_behind_key,
    look_alike_character,
    missing_colon,
    missing_colon_before_bracket,
    modifier_beside,
    round_list,
    tab,
    two_colons,
)
from archspec.frontend.slips.stop import MAX_LINE, Slip, Stop, line_at
from archspec.frontend.slips.values import (
    braced,
    cannot_start,
    expression,
    index,
    list_arithmetic,
    merged,
    missing_comma,
    negation,
    quote,
    quote_before,
    slashes,
    unclosed,
)


def slip(
    lines: Sequence[str], row: int, column: int, problem: str, began: tuple[int, int], context: str
) -> Slip | None:
    """The slip behind what stopped the parser."""
    stop = Stop(lines, row, column, problem, began, context)
    if any(len(line) > MAX_LINE for line in {stop.line, line_at(lines, row - 1), line_at(lines, began[0])}):
        return None
    readers = WITHOUT_COLON if "expected ':'" in problem else READERS
    return next((found for reader in readers if (found := reader(stop))), None)


READERS: tuple[Callable[[Stop], Slip | None], ...] = (
    tab,
    negation,
    quote,
    quote_before,
    slashes,
    cannot_start,
    bullet,
    braced,
    list_behind_key,
    dash_missing,
    dash_too_many,
    comma_behind,
    round_list,
    missing_colon_before_bracket,
    list_arithmetic,
    expression,
    index,
    merged,
    missing_comma,
    unclosed,
    modifier_beside,
    argument_beside,
    comma_then_key,
    two_colons,
    dash,
    look_alike_character,
    glued,
    arguments_below,
    assigned,
    indentation,
    missing_colon,
)
"""In the order in which they are asked."""
WITHOUT_COLON = (tab, dash, look_alike_character, glued, assigned, missing_colon)
"""Those that are asked where a line without a colon made the parser stop at the next."""


_NUMBERS = re.compile(
    r"([A-Za-z_]\w*):\s*=?\(?\s*(-?\d+(?:\s*,\s*-?\d+){1,7})\s*\)?(?=\s*(?:[}\]]|,\s*[A-Za-z_]|$))", re.ASCII
)


def numbers_apart(line: str, column: int) -> tuple[int, str] | None:
    """``{image: 32, 32, 1}`` or ``{weight: 0,3}`` around a column: where the value begins, and what to write."""
    if len(line) > MAX_LINE:
        return None
    for match in _NUMBERS.finditer(line):
        if match.start(2) <= column <= match.end():
            parts = [part.strip() for part in match[2].split(",")]
            if (said := _of_op(match[1], match[2])) is not None:
                return match.start(2), said
            if len(parts) == 2 and "," + parts[1] in match[2] and (parts[0].lstrip("-") == "0" or match[1] in _SHARES):
                return match.start(2), f"a decimal point is a point: {match[1]}: {parts[0]}.{parts[1]}"
            return match.start(2), f"a list needs brackets: {match[1]}: [{', '.join(parts)}]"
    return None


def _of_op(key: str, text: str) -> str | None:
    """Numbers behind an op as its arguments."""
    from archspec.frontend.intended_arguments import arguments
    from archspec.ops.base import Op

    op = Op.find(key)
    if op is None or op.main is None or op.main in ("shape", "size", "factor", "kernel", "rate"):
        return None
    found = arguments(key, text)
    return f"arguments go by name: {key}: {found}" if found else None


_SHARES = ("rate", "weight", "momentum", "epsilon", "dropout", "alpha", "slope", "stddev", "label_smoothing")
