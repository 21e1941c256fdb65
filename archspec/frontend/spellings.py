"""What other languages write otherwise in expressions: ``&&``, ``c ? a : b``, ``2^i``, ``pow(a, b)``, ``True``.

Nothing here is accepted: ``corrected`` gives what a person could write instead, for the help of an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from archspec.ir.patterns import Pattern


class Spelling(NamedTuple):
    """One foreign form: what finds it, what takes its place, and what to say of it."""

    pattern: Pattern
    ours: str
    why: str


def _spelling(pattern: str, ours: str, why: str) -> Spelling:
    return Spelling(Pattern(pattern, re.ASCII), ours, why)


_OPERAND = r"\s*([\w.]{1,80}(?:\[[^\[\]]{0,80}\])?|\([^()]{0,80}\))\s*"
_SIDES = {"0": "height", "1": "width", "-3": "height", "-2": "width", "-1": "channels"}
_DOWN = r"range(\1 - 1, -1, -1)"
SPELLINGS = (
    _spelling(r"[×·∙⋅]", "*", "multiplication is written *"),
    _spelling(r"\*{3,}", "**", "a power is written **"),
    _spelling(r"^\s*\{(.{1,120})\}\s*$", r"\1", "an expression has no braces"),
    _spelling(r"\breversed\(\s*range\(([^(),]{1,60})\)\s*\)", _DOWN, "a range runs down with a step"),
    _spelling(r"\brange\(([^(),]{1,60})\)\[::-1\]", _DOWN, "a range runs down with a step"),
    _spelling(r"\bin\.(?=(?:channels|height|width|length|rank)\b)", "input.", "what comes in is called input"),
    _spelling(r"\s*>>\s*([\w.]{1,60})", r" // 2**\1", "a shift is a division by a power of 2"),
    _spelling(r"\s*<<\s*([\w.]{1,60})", r" * 2**\1", "a shift is a product with a power of 2"),
    _spelling(r"(?<=[\w)\]])\s+[xX]\s+(?=[\w(])", " * ", "multiplication is written *"),
    _spelling(r"^\s*(int|round|floor|ceil|len|sum|log2|abs)\s+(\S.*)$", r"\1(\2)", "arguments stand in brackets"),
    _spelling(r"÷", "/", "division is written / (or // for integers)"),
    _spelling(r"[−–]", "-", "a typographic minus stands here"),
    _spelling(r"≤", "<=", "comparisons are written <= >= !="),
    _spelling(r"≥", ">=", "comparisons are written <= >= !="),
    _spelling(r"≠", "!=", "comparisons are written <= >= !="),
    _spelling(r"[“”„]", '"', "typographic quotes stand here"),
    _spelling(r"[‘’]", "'", "typographic quotes stand here"),
    _spelling(r"\s*&&\s*|\s+AND\s+", " and ", "'and' is a word"),
    _spelling(r"\s*\|\|\s*|\s+OR\s+", " or ", "'or' is a word"),
    _spelling(r"\s*(?<![&])&(?![&])\s*", " and ", "'and' is a word"),
    _spelling(r"\s*(?<![|])\|(?![|])\s*", " or ", "'or' is a word"),
    _spelling(r"!==|<>|~=", "!=", "'not equal' is written !="),
    _spelling(r"===", "==", "'equal' is written =="),
    _spelling(r"!(?!=)\s*|~|\bNOT\s+", "not ", "'not' is a word"),
    _spelling(r"=<", "<=", "comparisons are written <= >= !="),
    _spelling(r"=>", ">=", "comparisons are written <= >= !="),
    _spelling(r"([(,]\s*)[A-Za-z_]\w*\s*=(?!=)\s*", r"\1", "arguments of functions go by position"),
    _spelling(r"(?<![=!<>])=(?!=)", "==", "'equal' is written =="),
    _spelling(r"\bis\s+not\b", "!=", "'not equal' is written !="),
    _spelling(r"\bis\b", "==", "'equal' is written =="),
    _spelling(r"\^", "**", "a power is written **"),
    _spelling(
        r"\b(?:math\.|np\.)?pow(?:er)?\(" + _OPERAND + "," + _OPERAND + r"\)", r"\1 ** \2", "a power is written **"
    ),
    _spelling(r"\b(?:math\.|np\.)?sqrt\(" + _OPERAND + r"\)", r"\1 ** 0.5", "a root is a power of 0.5"),
    _spelling(
        r"\b(?:math|np|numpy|torch|tf|Math)\.(?=\w+\()", "", "functions stand alone: floor, ceil, min, max, log2"
    ),
    _spelling(r"\bpow\(" + _OPERAND + r",\s*([^(),]{1,60}?)\s*\)", r"\1 ** (\2)", "a power is written **"),
    _spelling(r"\bpow\(\s*([^(),]{1,60}?)\s*," + _OPERAND + r"\)", r"(\1) ** \2", "a power is written **"),
    _spelling(r"\bpow\(\s*([^(),]{1,60}?)\s*,\s*([^(),]{1,60}?)\s*\)", r"(\1) ** (\2)", "a power is written **"),
    _spelling(r"\bsqrt\(\s*([^()]{1,80}?)\s*\)", r"(\1) ** 0.5", "a root is a power of 0.5"),
    _spelling(r"\bdiv\b", "//", "whole division is written //"),
    _spelling(r"\bmod\b", "%", "the remainder is written %"),
    _spelling(r"\bfloat\(" + _OPERAND + r"\)", r"\1", "numbers need no float(…)"),
    _spelling(r"(\b\w+)\.(?:length|size|count)\(?\)?", r"len(\1)", "the length of a list is len(…)"),
    _spelling(r"(?<![\w)\]])\(([^()]{1,80},[^()]{1,80})\)", r"[\1]", "a list has brackets"),
    _spelling(r"(?<![\w.])(\d+)(?=[A-Za-df-z_(])", r"\1 * ", "multiplication is written *"),
)
"""In the order in which they are tried; each only outside of strings."""

_SIDE = Pattern(r"\b(prev|input|\w+)\.(?:shape|size)[\[(](-?[0-3])[\])]", re.ASCII)
_TERNARY = Pattern(r"([^?]+)\?([^:?]+):(.+)")
_STRING = Pattern(r"('[^']*'|\"[^\"]*\")")
_HALF_FLIPPED = Pattern(r"([^:]{1,90}?)\s+if\s+([^:]{1,90}?)\s*:\s*([^:]{1,90})")
_FLIPPED = Pattern(r"if\s+(.{1,90}?)\s+(?:then|:)\s*(.{1,90}?)\s+else\s*:?\s*(.{1,90})")


_SYNTAX: dict[type[ast.AST], str] = {
    ast.Tuple: "a tuple",
    ast.Dict: "a map",
    ast.Set: "a set",
    ast.ListComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.Lambda: "lambda",
    ast.JoinedStr: "an f-string",
    ast.NamedExpr: "an assignment",
    ast.Starred: "a star",
    ast.Slice: "a slice with a step",
    ast.Constant: "this constant",
    ast.UnaryOp: "~",
}
_OPERATORS: dict[type[ast.AST], str] = {
    ast.BitXor: "^",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.MatMult: "@",
}


def described(node: ast.AST) -> str:
    """Syntax that is not of the language, as a person would call it."""
    if isinstance(node, ast.BinOp):
        return f"'{_OPERATORS.get(type(node.op), type(node.op).__name__)}'"
    return _SYNTAX.get(type(node), type(node).__name__)


LOOPS = {
    "zip": "loop variables advance together: repeat: {a: =first, b: =second}",
    "enumerate": "loop variables advance together: repeat: {i: =len(values), value: =values}",
    "map": "a loop computes from its variable: repeat: {i: 3}, and =2 * i in its steps",
    "list": "a list stands alone: =values, =range(3)",
    "reversed": "a list runs down with a step: =range(3, -1, -1)",
    "sorted": "write the values in their order",
}
"""What Python's functions of lists are here."""


def instead(node: ast.AST) -> str | None:
    """What to write for syntax that is not of the language."""
    if isinstance(node, (ast.ListComp, ast.GeneratorExp)) and len(node.generators) == 1:
        one = node.generators[0]
        values, each = ast.unparse(one.iter)[:40], ast.unparse(node.elt)[:40]
        loop = f'repeat: {{{ast.unparse(one.target)[:20]}: "={values}"}}'
        return f"a loop has the values, and its steps compute: {loop}, ={each}"
    return None


def truths(text: str) -> str:
    """An expression without comparisons to ``true`` and ``false``, which it has no words for."""
    text = re.sub(r"\s*(?:==\s*[Tt]rue|!=\s*[Ff]alse)\b", "", text)
    return re.sub(r"(\b[\w.]+)\s*(?:==\s*[Ff]alse|!=\s*[Tt]rue)\b", r"not \1", text)


def corrected(text: str, accepts: Callable[[str], bool]) -> tuple[str, str] | None:
    """What is foreign in an expression (without its ``=``), and the expression in our spelling; None if that cannot be
    told. ``accepts`` says whether a text is an expression."""
    if len(text) > 200:
        return None
    why = ""
    for reason, ours in _steps(text):
        why = why or reason
        if accepts(ours):
            return why, ours
    return None


def _steps(text: str) -> Iterator[tuple[str, str]]:
    """The text with one foreign form after the other replaced, and what to say of each."""
    if text[:1] == "=":
        text = text.lstrip("= ")
        yield "one '=' starts an expression", text
    sized = _SIDE.sub(lambda m: f"{m[1]}.{_SIDES.get(m[2], 'channels')}", text)
    if sized != text:
        text = sized
        yield "sizes go by name: channels, height, width, length", text
    if (found := _FLIPPED.fullmatch(text.strip())) is not None:
        text = f"{found[2]} if {found[1]} else {found[3]}"
        yield "a choice is written a if condition else b", text
    if (found := _HALF_FLIPPED.fullmatch(text.strip())) is not None:
        text = f"{found[1]} if {found[2]} else {found[3]}"
        yield "a choice is written a if condition else b", text
    if (found := _TERNARY.fullmatch(text)) is not None:
        condition, yes, no = (part.strip() for part in found.groups())
        text = f"{yes} if {condition} else {no}"
        yield "a choice is written a if condition else b", text
    if (plain := truths(text)) != text:
        text = plain
        yield "a truth value stands alone, or behind 'not'", text
    for pattern, ours, why in SPELLINGS:
        replaced = "".join(part if i % 2 else pattern.sub(ours, part) for i, part in enumerate(_STRING.split(text)))
        if replaced != text:
            text = replaced.strip()
            yield why, text
    for opening, closing in ("()", "[]"):
        missing = text.count(opening) - text.count(closing)
        if missing == 1:
            text += closing
            yield f"'{opening}' is not closed", text
