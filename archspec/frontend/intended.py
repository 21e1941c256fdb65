"""What a value or word that nothing takes was meant to be: the help for slips that show in the text of one value.

Every reader gets the text as it is written, and says what to write instead, or None where it does not know. Less is
said rather than guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from archspec.frontend.expressions import is_expression, names_in, written
from archspec.frontend.intended_arguments import (
    LIST,
    NUMBER,
    TIMES,
    TOP_COMMA,
    are_taken,
    arguments,
    of_torch,
)
from archspec.frontend.intended_numbers import (
    THOUSANDS,
    Known,
    WrittenValue,
    number,
    sizes_apart,
    strength,
    whole_number,
)
from archspec.frontend.look_alikes import look_alike
from archspec.frontend.spellings import corrected, truths
from archspec.ir.patterns import Pattern

if TYPE_CHECKING:
    pass

MAX_LENGTH = 200
"""Longer texts are not looked at."""


def intended(text: str, message: str, known: Known) -> str | None:
    """The help for a value that stands in the text as ``text`` and of which ``message`` is said."""
    text = text.strip()
    if not text or len(text) > MAX_LENGTH:
        return None
    if text.lstrip("\"'")[:1] == "=":
        return _whole(text.strip("\"'")[1:].strip(), message)
    is_quoted = text[0] in "\"'" and len(text) > 1 and text[-1] == text[0]
    slip = WrittenValue(text[1:-1] if is_quoted else text, is_quoted, message, known)
    return next((help for reader in READERS if (help := reader(slip))), None)


_FRACTION = Pattern(r"must be an integer, got -?\d+\.\d+|must be an integer, got \d+(?:\.\d+)?e")


def _whole(expression: str, message: str) -> str | None:
    """An expression whose value has a fraction, as one that has none."""
    if not _FRACTION.search(message):
        return None
    parts = expression.split("/")
    if len(parts) == 2 and "." not in re.sub(r"[A-Za-z_]\w*\.", "", expression):
        return f"use // for integer division: {written(f'{parts[0].rstrip()} // {parts[1].lstrip()}')}"
    return f"int, round, floor or ceil makes an integer: {written(f'int({expression})')}"


def _unlike(slip: WrittenValue) -> str | None:
    found = look_alike(slip.text)
    if found is None:
        return None
    what, plain = found
    if plain[:1] in "\"'" and plain[-1:] == plain[:1] and len(plain) > 2:
        plain = plain[1:-1]
    if plain.count('"') % 2:
        return f'{what} stands here, and where the text ends: write " for both'
    return f"{what} stands here: write {plain}"


_TEMPLATE = Pattern(r"(?:\$\{?|\{\{?\s*|<|%|@|:)\s*(?:[A-Za-z_]\w*\.){0,3}([A-Za-z_]\w*)\s*(?:\}?\}|>|%)?", re.ASCII)


def _type(slip: WrittenValue) -> str | None:
    """The type of a parameter in another language's word, which was taken for a default."""
    if slip.is_quoted or not slip.text.isalnum() or not slip.wants("integer", "number", "true or false", "list"):
        return None
    from archspec.ir.aliases import alias

    return alias("type", slip.text, ("int", "float", "bool", "list"))


def _fraction(slip: WrittenValue) -> str | None:
    if not NUMBER.fullmatch(slip.text) or slip.is_quoted or not _FRACTION.search(slip.message):
        return None
    number = float(slip.text)
    near = [n for n in (math.floor(number), math.ceil(number)) if n]
    return f"write {' or '.join(str(n) for n in dict.fromkeys(near))}"


def _template(slip: WrittenValue) -> str | None:
    found = _TEMPLATE.fullmatch(slip.text)
    return f"a parameter is written ={found[1]}" if found and slip.known(found[1]) else None


def _null(slip: WrittenValue) -> str | None:
    if slip.text not in ("None", "none", "nil", "NULL", "undefined", "NaN"):
        return None
    if slip.wants("must be same, valid"):
        return "write valid: nothing is padded"
    if slip.wants("true or false"):
        return "write false"
    return "write null, or linear" if slip.wants("activation") else "'no value' is written null"


def _quotes(slip: WrittenValue) -> str | None:
    is_told = slip.is_quoted or (NUMBER.fullmatch(slip.text) and slip.message.endswith(f"got '{slip.text}'"))
    if not is_told:
        truth = {"1": "true", "0": "false"}.get(slip.text) if slip.wants("true or false") else None
        return f"write {truth}" if truth else None
    if slip.wants("number", "integer", "count") and NUMBER.fullmatch(slip.text):
        return f"a number has no quotes: {slip.text}"
    if slip.wants("number", "integer", "count") and THOUSANDS.fullmatch(slip.text):
        return f"digits stand together, without quotes: {re.sub(r'[^0-9]', '', slip.text)}"
    if slip.wants("true or false") and slip.text.lower() in ("true", "false"):
        return f"a truth value has no quotes: {slip.text.lower()}"
    if slip.wants("list", "loop", "bracket") and LIST.fullmatch(slip.text):
        return f"a list has no quotes: {slip.text}"
    return None


_ITEM = r"[^,()\[\]{}\s]+"
_TUPLE = Pattern(rf"\(\s*({_ITEM}(?:\s*,\s*{_ITEM}){{0,7}})\s*,?\s*\)")
_BARE_LIST = Pattern(rf"{_ITEM}(?:\s*,\s*{_ITEM}){{1,7}}")


def _listed(items: str) -> str:
    return f"[{', '.join(item.strip() for item in items.split(','))}]"


def _tuple(slip: WrittenValue) -> str | None:
    if (found := _TUPLE.fullmatch(slip.text)) is not None:
        only = found[1] if "," not in found[1] and not slip.wants("list", "loop") else None
        return f"a value has no brackets: {only}" if only else f"a list has square brackets: {_listed(found[1])}"
    return None


def bracketed(text: str) -> str | None:
    """A tuple as a list: ``(20,)`` is ``[20]``."""
    found = _TUPLE.fullmatch(text[:MAX_LENGTH])
    return None if found is None else _listed(found[1])


def _bare_list(slip: WrittenValue) -> str | None:
    if not slip.wants("list", "loop", "single value"):
        return None
    if _BARE_LIST.fullmatch(slip.text):
        return f"a list needs brackets: {_listed(slip.text)}"
    if slip.wants("integer", "sizes") and (found := TIMES.fullmatch(slip.text)):
        return f"a size per axis is a list: [{', '.join(n for n in found.groups() if n)}]"
    return None


_NEXT = Pattern(r"([^|>\s-][^|>]{0,60}?)\s*(?:->|=>|→|\|>?)\s*([A-Za-z_]\w*)", re.ASCII)


def _next_step(slip: WrittenValue) -> str | None:
    """``8 -> relu``: the next step behind a value."""
    from archspec.ops.base import Op

    found = None if slip.is_quoted else _NEXT.fullmatch(slip.text)
    if found is None or Op.find(found[2]) is None or slip.known(found[2]):
        return None
    return f"each step is an item of its own: {found[1]} here, then - {found[2]}"


def _ending(slip: WrittenValue) -> str | None:
    if slip.text[-1:] in (",", ";") and not slip.is_quoted and re.fullmatch(r"[\w.]+", slip.text[:-1]):
        return f"nothing follows a value: {slip.text[:-1]}"
    return None


COMMENT = Pattern(r"([^#\s][^#]*?)#(.*)")


def _comment(slip: WrittenValue) -> str | None:
    if slip.is_quoted:
        return None
    if (found := COMMENT.fullmatch(slip.text)) is not None:
        return f"a comment needs a space before '#': {found[1].strip()}  # {found[2].strip()}"
    value, mark, comment = slip.text.partition(" // ")
    is_prose = mark and not all(slip.known(name) for name in re.findall(r"[A-Za-z_]\w*", comment))
    if mark and is_expression(slip.text.rstrip("= ")):
        is_prose = not all(slip.known(name) for name in names_in(slip.text.rstrip("= ")))
        if not is_prose:
            return None
    if mark and (is_prose or not is_expression(slip.text)):
        return f"a comment starts with '#': {value.strip()}  # {comment.strip()}"
    return None


_TARGET = Pattern(r"(\w+)\.(\w+) must\b", re.ASCII)


def _one_each(op_name: str, argument: str, text: str) -> str | None:
    """``64, 10`` as two steps of an op, whose main argument takes each number alone."""
    from archspec.ops.base import Op

    op = Op.find(op_name)
    numbers = [part.strip() for part in text.split(",")]
    are_numbers = all(NUMBER.fullmatch(n) for n in numbers)
    if op is None or op.main != argument or not are_numbers or not all(are_taken(op, {argument: n}) for n in numbers):
        return None
    each = f"each is a step of its own: {', '.join(f'{op_name}: {n}' for n in numbers)}"
    is_torch = argument == "units" and len(numbers) == 2
    return f"{each}; the size of the input, which PyTorch has first, is not written" if is_torch else each


def _several(slip: WrittenValue) -> str | None:
    target = _TARGET.match(slip.message)
    if target is not None and (listed := LIST.fullmatch(slip.text)) is not None:
        # A list that the argument takes by its form, as one size per axis, is none of several arguments.
        is_mixed = not all(NUMBER.fullmatch(part.strip()) for part in re.split(TOP_COMMA, listed[1]))
        found = arguments(target[1], listed[1]) if is_mixed or not slip.wants("list") else None
        if (torch := of_torch(target[1], target[2], listed[1])) is not None:
            return torch
        if found is None and NUMBER.fullmatch(listed[1].strip()):
            return f"write {listed[1].strip()}, without brackets"
        return f"arguments are a map: {target[1]}: {found}" if found else _one_each(target[1], target[2], listed[1])
    if target is None or slip.is_quoted or not re.search(r"[,=:]|\d\s+\w", slip.text):
        return None
    is_apart = not any(c in slip.text for c in ",=:")
    found = arguments(target[1], ", ".join(slip.text.split()) if is_apart else slip.text)
    numbers = [part.strip() for part in slip.text.split(",")]
    if found is None and len(numbers) == 2 and all(NUMBER.fullmatch(n) for n in numbers):
        found = f"{{{target[2]}: {numbers[0]}, NAME: {numbers[1]}}}"
    return f"several arguments go by name: {target[1]}: {found}" if found else None


def _expression(slip: WrittenValue) -> str | None:
    """A forgotten ``=``, before what is an expression over names that are known here, or that has no names."""
    text = slip.text
    if text[:1] == "=" or (re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) and not slip.known(text)):
        return None
    if slip.wants("a loop takes") and (found := _IN.fullmatch(text)) is not None:
        values = found[2] if found[2].isdigit() else written(found[2])
        return f"a variable is a key: {{{found[1]}: {values}}}"
    text = truths(text.removeprefix("in ").rstrip("= ") if not slip.is_quoted else text)
    if text.count("(") == text.count(")") + 1 and not slip.is_quoted and re.match(r"[A-Za-z_]\w*\(", text):
        return f'a comma ends a value inside {{…}}: quote the expression: "={text}, …)"'
    if not is_expression(text):
        found = corrected(text, is_expression)
        if found is None:
            return None
        text = found[1]
    names = names_in(text)
    if not names and text[:1] == "[":
        return None
    if not names and not re.search(r"[-+*/%(]", text.lstrip("-")):
        return None
    if not all(slip.known(name) for name in names):
        if not any(c in text for c in "+-*/(") or not slip.wants("integer", "number", "count"):
            return None
        unknown = next(name for name in names if not slip.known(name))
        return f"an expression starts with '=': {written(text)}, and {unknown} is not known here"
    return f"an expression starts with '=': {written(text)}"


_IN = Pattern(r"([A-Za-z_]\w*)\s*(?:\s+in\s+|=\s*=?\s*)([^=\s].{0,80})", re.ASCII)
"""``i in range(3)``, ``n = depth``."""


_AXES = ("channels", "height", "width", "length", "depth")


def _size(slip: WrittenValue) -> str | None:
    """``groups: channels``: a size of what comes in."""
    if slip.text not in _AXES or slip.known(slip.text) or not slip.wants("an integer"):
        return None
    return f"a size of the result before is =prev.{slip.text}"


_ELEMENT = Pattern(r"[^\[\],]+")


def _element(slip: WrittenValue) -> str | None:
    """The slip of one element of a list."""
    if slip.is_quoted or (found := LIST.fullmatch(slip.text)) is None:
        return None
    for element in _ELEMENT.findall(found[1])[:16]:
        text = element.strip()
        one = WrittenValue(text.strip("\"'"), text[:1] in ("'", '"'), "a size, a number, integer", slip.known)
        for reader in (_unlike, _template, _null, _quotes, _expression):
            if one.text and (help := reader(one)):
                return help
    return None


_OP_BEHIND = re.compile(r"(\d+)\s+([A-Za-z_]\w*)", re.ASCII)


_BATCH = frozenset(("batch", "batch_size", "bs", "B", "N", "n", "None"))


def _reshaped(slip: WrittenValue) -> str | None:
    """A shape of ``reshape`` with the batch, or with a size that is left open."""
    if slip.is_quoted or not slip.wants("at most one of them -1") or (found := LIST.fullmatch(slip.text)) is None:
        return None
    first, *rest = (item.strip() for item in found[1].split(","))
    if first in _BATCH and rest:
        return f"the batch is not written: [{', '.join(rest)}]"
    if [first, *rest].count("-1") > 1:
        return "one -1 at most, which is what is left: write the other sizes as numbers"
    if [first, *rest].count("null") == 1:
        return f"-1 is what is left: [{', '.join('-1' if item == 'null' else item for item in (first, *rest))}]"
    return None


def _turns(slip: WrittenValue) -> str | None:
    """A truth value where a loop counts."""
    if slip.text in ("true", "false") and slip.wants("a loop takes a count"):
        return "a number of turns: repeat: 2; whether a step is there is said by when"
    return None


def _step_behind(slip: WrittenValue) -> str | None:
    """``[conv: 4`` and ``relu]`` on the next line: a comma is missing between two steps."""
    from archspec.ops.base import Op

    found = _OP_BEHIND.search(slip.message.rpartition(", got ")[2])
    if found is None or Op.find(found[2]) is None:
        return None
    return f"a comma is missing between {found[1]} and {found[2]}"


READERS: tuple[Callable[[WrittenValue], str | None], ...] = (
    sizes_apart,
    _unlike,
    _step_behind,
    _next_step,
    strength,
    _ending,
    _fraction,
    whole_number,
    _reshaped,
    _turns,
    _template,
    _null,
    _type,
    _quotes,
    _tuple,
    number,
    _bare_list,
    _several,
    _comment,
    _element,
    _size,
    _expression,
)
"""In the order in which they are asked."""
