"""What a key or a step that is no known word was meant to be: what stands together that should not, or apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archspec.frontend.intended import COMMENT, MAX_LENGTH
from archspec.frontend.intended_arguments import NUMBER, PAIR, arguments
from archspec.frontend.intended_numbers import Known
from archspec.frontend.look_alikes import look_alike
from archspec.ir.diagnostics import plain
from archspec.ir.patterns import Pattern

if TYPE_CHECKING:
    pass


_MISSING_SPACE = Pattern(r"([A-Za-z_]\w*):(\S.*)", re.ASCII)


_QUOTED_STEP = Pattern(r"([A-Za-z_]\w*):\s+(\S.*)", re.ASCII)


_CALL = Pattern(r"([A-Za-z_]\w*)\((.*)\)", re.ASCII)


_APART = Pattern(r"([A-Za-z_]\w*)\s+(=?[\w.*+\-/ ]+)", re.ASCII)


_EQUALS = Pattern(r"([A-Za-z_]\w*)(?:\s*=\s*(?==)|\s*=\s+|=|\s+(?==[A-Za-z_]))(=?[^=\s].*)", re.ASCII)


_CALL_CUT = Pattern(r"([A-Za-z_]\w*)\(([^()]*)", re.ASCII)


_COMMA_APART = Pattern(r"([A-Za-z_]\w*)\s*,\s*(.+)", re.ASCII)
_ARROW = Pattern(
    r"([A-Za-z_]\w*)\s*(?:->|=>|>>|→|\|>?|;|\bthen\b)\s*([A-Za-z_]\w*)(?:\s*(?:->|=>|>>|→|\|>?|;|\bthen\b).*)?",
    re.ASCII,
)


_ITEM_WITHIN = Pattern(r"([A-Za-z_]\w*)\s+-\s*([A-Za-z_]\w*.*)", re.ASCII)


_SUM = Pattern(r"[A-Za-z_]\w*(?:\[[^\[\]]{1,20}\])?(?:\s*([-+*/])\s*[A-Za-z_]\w*(?:\[[^\[\]]{1,20}\])?){1,7}", re.ASCII)


_SIGNS = {"+": "plus", "*": "mul", "-": "minus", "/": "div"}
"""Signs in the table's words."""


def merge_of(word: str) -> str | None:
    """``a + b`` as the merge that it is."""
    found = _SUM.fullmatch(word)
    signs = set(re.findall(r"[-+*/](?![^\[]*\])", word)) if found is not None else set()
    if len(signs) != 1 or not re.search(r"\s[-+*/]|[+*]", word):
        return None
    (sign,) = signs
    parts = [part.strip() for part in re.split(rf"{re.escape(sign)}(?![^\[]*\])", word)]
    operands = ", ".join(f'"{part}"' if "[" in part else part for part in parts)
    from archspec.ir.aliases import same
    from archspec.ops.base import Op

    merge = same("op", _SIGNS[sign], Op.names())
    return f"results meet in a step: {merge}: [{operands}]" if merge else None


def intended_word(word: str, known: Known, modifiers: tuple[str, ...] = (), value: object = None) -> str | None:
    """The help for a key or step that is no known word: what stands together that should not, or apart.

    ``value`` is what the word has, if it is a key.
    """
    if not word or len(word) > MAX_LENGTH:
        return None
    if (found := look_alike(word)) is not None:
        return f"{found[0]} stands here: write {found[1]}"
    if word[:1] == "(" and isinstance(value, str) and value[-1:] == ")" and known(word[1:].strip()):
        return f"round brackets make no list: - [{word[1:].strip()}: {value[:-1]}]"
    if (match := _MISSING_SPACE.fullmatch(word)) and known(match[1]):
        return f"a colon needs a space after it: {match[1]}: {match[2]}"
    if (match := _QUOTED_STEP.fullmatch(word)) and known(match[1]):
        return f"a step has no quotes: {match[1]}: {match[2]}"
    if (match := _ITEM_WITHIN.fullmatch(word)) and known(match[1]):
        return f"the item '- {match[2]}' is indented more than the one before it, and reads as part of it"
    if (match := COMMENT.fullmatch(word)) and known(match[1].strip()):
        return f"a comment needs a space before '#': {match[1].strip()}  # {match[2].strip()}"
    if (match := _CALL.fullmatch(word)) and known(match[1]):
        inner = match[2].strip()
        if inner and (alone := _without_argument(match[1], inner)) is not None:
            return alone
        taken = arguments(match[1], inner) or (inner if not re.search(r"[(),=]", inner) else None)
        if taken is None:
            return f"arguments stand after a colon: {match[1]}: {{…}}"
        return f"arguments stand after a colon: {match[1]}: {taken}" if taken else f"write {match[1]}"
    if (match := _CALL_CUT.fullmatch(word)) and known(match[1]):
        return f"arguments are a map after a colon: {match[1]}: {{{_first_argument(match[1], match[2].strip())}, …}}"
    if (match := _COMMA_APART.fullmatch(word)) and known(match[1]) and known(match[2]) and match[2] not in modifiers:
        return f"each step is an item of its own: - {match[1]}, then - {match[2]}" + (
            f": {plain(value)}" if value is not None else ""
        )
    if (match := _COMMA_APART.fullmatch(word)) and known(match[1]):
        if match[2] in modifiers and value is not None:
            return f"modifiers stand beside an op in braces: {{{match[1]}, {match[2]}: {plain(value)}}}"
        return None if value is not None else _after_colon(match[1], match[2])
    if (match := _ARROW.fullmatch(word)) and known(match[1]) and known(match[2]):
        return f"each step is an item of its own: - {match[1]}, then - {match[2]}"
    if word[:1] == "=" and known(word[1:].strip()):
        return f"an op is called without '=': {word[1:].strip()}"
    if (match := _EQUALS.fullmatch(word)) and known(match[1]):
        return f"a colon stands before a value: {match[1]}: {match[2]}"
    if (match := _APART.fullmatch(word)) and known(match[1]):
        return f"a colon is missing: {match[1]}: {match[2]}" if value is None else None
    return merge_of(word) if value is None else None


def _first_argument(name: str, given: str) -> str:
    """The first of an op's arguments as an entry of a map."""
    from archspec.ops.base import Op

    if (pair := PAIR.fullmatch(given)) is not None:
        return f"{pair[1]}: {pair[2]}"
    op = Op.find(name)
    return f"{op.main}: {given}" if op is not None and op.main and given else given or "…"


def _without_argument(name: str, given: str) -> str | None:
    """What to write for an op without a main argument that is called with a value: ``relu(6)``."""
    from archspec.ops.base import Op

    op = Op.find(name)
    if op is None or op.main is not None or "=" in given:
        return None
    if Op.find(f"{name}{given}") is not None:
        return f"it is an op of its own: {name}{given}"
    return None if op.model_fields else f"write {name} alone: it has no arguments"


def _after_colon(name: str, rest: str) -> str | None:
    if NUMBER.fullmatch(rest):
        return f"a value stands after a colon: {name}: {rest}"
    return None
