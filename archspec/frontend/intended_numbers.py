"""What a value was meant to be that is a number in another form: with units, in words, of several sizes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from archspec.frontend.intended_arguments import NUMBER
from archspec.ir.patterns import Pattern

Known = Callable[[str], bool]
"""Whether a name means something where the value stands."""


class WrittenValue(NamedTuple):
    """A value as it is written: its text without quotes, whether it has quotes, what is said of it, what is known."""

    text: str
    is_quoted: bool
    message: str
    known: Known

    def wants(self, *words: str) -> bool:
        """Whether the message asks for one of these."""
        wanted = self.message.partition(", got ")[0]
        return any(word in wanted for word in words)


THOUSANDS = Pattern(r"[1-9]\d{0,2}(?:[,'_ ]\d{3})+", re.ASCII)
_GROUPED = Pattern(r"\d{1,9}(?:_\d{1,9})+", re.ASCII)
_COMMA = Pattern(r"(-?\d*),(\d+)", re.ASCII)
_PERCENT = Pattern(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)


def number(slip: WrittenValue) -> str | None:
    text = slip.text
    if not slip.wants("number", "integer", "count", "size", "name", " 1."):
        return None
    if slip.wants("integer", "count", "size") and (THOUSANDS.fullmatch(text) or _GROUPED.fullmatch(text)):
        return f"digits stand together: {re.sub(r'[^0-9]', '', text)}"
    if slip.wants("a number") and _GROUPED.fullmatch(text):
        return f"digits stand together: {text.replace('_', '')}"
    if slip.wants("less than 1.", "at most 1.") and NUMBER.fullmatch(text) and 2 <= float(text) <= 100:
        return f"a share of 1: {float(text) / (10 if float(text) < 10 else 100):g}"
    if text.lower() in IN_WORDS:
        return f"write {IN_WORDS.index(text.lower())}"
    if slip.wants("integer", "count") and (found := _WITH_UNIT.fullmatch(text)):
        return f"digits stand together: {round(float(found[1]) * _UNITS[found[2].lower()])}"
    if slip.wants("an integer", "a number", "count") and (found := _WITH_NOUN.fullmatch(text)):
        return f"a number stands alone: {found[1]}"
    if (found := _COMMA.fullmatch(text)) and slip.wants("a number"):
        return f"a decimal point is a point: {found[1] or 0}.{found[2]}"
    if (found := _PERCENT.fullmatch(text)) and slip.wants("a number"):
        return f"a share of 1: {float(found[1]) / 100:g}"
    return None


_NOUNS = "times|epochs?|steps?|layers?|units?|filters?|channels?|pixels?|px|heads?|turns?|blocks?|neurons?|classes"
_WITH_NOUN = Pattern(rf"(\d{{1,9}}(?:\.\d+)?)\s*(?:{_NOUNS})", re.ASCII)
IN_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_UNITS = {"k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9}
_WITH_UNIT = Pattern(r"(\d{1,9}(?:\.\d{1,9})?)\s?([kKmMbBgG])", re.ASCII)


def whole_number(slip: WrittenValue) -> str | None:
    """``2.0`` where integers are wanted, one or several."""
    if slip.is_quoted or not slip.wants("positive integer") or not re.fullmatch(r"\d{1,9}\.0*", slip.text):
        return None
    return f"write {slip.text.partition('.')[0]}"


_TYPOGRAPHIC = Pattern(r"(\d{1,4})\s*×\s*(\d{1,4})(?:\s*×\s*(\d{1,4}))?", re.ASCII)


def sizes_apart(slip: WrittenValue) -> str | None:
    """``3×3``, as papers write sizes."""
    if not slip.wants("list", "integer", "sizes") or (found := _TYPOGRAPHIC.fullmatch(slip.text)) is None:
        return None
    return f"a size per axis is a list: [{', '.join(n for n in found.groups() if n)}]"


def strength(slip: WrittenValue) -> str | None:
    """A strength in place of a regularizer."""
    if slip.wants("the name of a regularizer") and NUMBER.fullmatch(slip.text):
        return f"a number says how much, its key of what: {{l2: {slip.text}}}"
    return None
