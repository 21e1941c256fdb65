"""What a text that is no expression was meant to be: in other languages' spelling, cut off, or with more behind it."""

from __future__ import annotations

import re
from collections.abc import Callable

from archspec.frontend.spellings import corrected
from archspec.ir.patterns import Pattern

_CUT_OFF = Pattern(r"\s*(.*[\w\])])\s*(\*\*|//|[-+*/%]|[<>=!]=|[<>]|\b(?:and|or|not|if|else|in))\s*")
"""An expression that ends with an operator."""


_HALF = Pattern(r"(.{1,90}?)\s+if\s+((?:(?!\belse\b).){1,90})")
_RANGE = Pattern(r"(\w{1,40})\s*(?:\.{2,3}|:|\bto\b)\s*(\w{1,40}|len\(\w{1,40}\))")
_BESIDE = Pattern(r"(.{1,120}?)\s+(as|from|when|repeat|each):?\s+(\w{1,60})")
_NOUN = Pattern(r"(.{1,120}?)(?:\.|,|;|\s+(?:times|layers?|units?|filters?|channels?|px|pixels?|steps?|turns?))")


def in_our_form(text: str, is_expression: Callable[[str], bool], written: Callable[[str], str]) -> str | None:
    """The help for an expression in another language's spelling."""
    found = corrected(text, is_expression)
    if found is None and re.search(r"\b(?:elif|else\s+if)\b", text):
        return "there is no elif: =a if p else b if q else c"
    if found is None and (half := _HALF.fullmatch(text)) is not None and is_expression(half[1]):
        return f"a choice says what it is otherwise, too: {written(f'{half[1]} if {half[2]} else …')}"
    if found is None and (ends := _RANGE.fullmatch(text.strip("[] "))) is not None:
        return f"a range is a function: {written(f'range({ends[1]}, {ends[2]})')}, which ends before {ends[2]}"
    if found is None and (beside := _BESIDE.fullmatch(text)) is not None and is_expression(beside[1]):
        step = f"{{…: {written(beside[1])}, {beside[2]}: {beside[3]}}}"
        return f"modifiers stand beside the op, in braces: {step}"
    if found is None and (alone := _NOUN.fullmatch(text)) is not None and is_expression(alone[1]):
        return f"nothing stands behind a value: {written(alone[1])}"
    if found is None and (cut := _CUT_OFF.fullmatch(text)) is not None and is_expression(cut[1]):
        return f"nothing follows '{cut[2]}': {written(cut[1])}, or what stands behind it"
    return None if found is None else f"{found[0]}: {written(found[1])}"
