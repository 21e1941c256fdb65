"""What expressions compute with: functions and operators over bounded numbers, words and lists."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from archspec.ir.diagnostics import shown

MAX_POWER = 64


MAX_VALUE = 2**53


MAX_LIST = 1024


MAX_DIGITS = 16


class ExpressionError(Exception):
    """An expression that cannot be read or has no value; the place is the caller's to add."""

    def __init__(self, code: str, message: str, help: str | None = None):
        super().__init__(message)
        self.code, self.message, self.help = code, message, help


def make_divisible(value: float, divisor: int = 8, minimum: int | None = None) -> int:
    """The nearest multiple of ``divisor``, at least ``minimum`` and at most 10 % below ``value`` (MobileNet's rule)."""
    if divisor <= 0:
        raise ExpressionError("X04", "make_divisible needs a positive divisor")
    rounded = max(divisor if minimum is None else minimum, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _range(*args: int) -> list[int]:
    if not all(isinstance(a, int) for a in args):
        raise ExpressionError("X04", "range takes integers")
    if len(r := range(*args)) > MAX_LIST:
        raise ExpressionError("X04", f"a list of more than {MAX_LIST} elements")
    return list(r)


def _round(value: float, digits: int | None = None) -> float:
    # Python takes 10 to the power of the digits first.
    if digits is not None and abs(digits) > MAX_DIGITS:
        raise ExpressionError("X04", f"round takes at most {MAX_DIGITS} digits")
    return round(value, digits)


def _log2(value: float) -> float | int:
    result = math.log2(value)
    return int(result) if result.is_integer() else result


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "round": _round,
    "floor": math.floor,
    "ceil": math.ceil,
    "int": int,
    "len": len,
    "sum": sum,
    "range": _range,
    "log2": _log2,
    "make_divisible": make_divisible,
}


ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def arithmetic(op: ast.operator, a: Any, b: Any) -> Any:
    if isinstance(op, ast.Add):
        if isinstance(a, list) and isinstance(b, list):
            if len(a) + len(b) > MAX_LIST:
                raise ExpressionError("X04", f"a list of more than {MAX_LIST} elements")
            return a + b
        if isinstance(a, str) and isinstance(b, str):
            return a + b
        return bounded(number(a) + number(b))
    a, b = number(a), number(b)
    if isinstance(op, ast.Pow) and (abs(b) > MAX_POWER or abs(a) > MAX_VALUE):
        raise ExpressionError("X04", f"powers go up to {MAX_POWER}")
    return bounded(ARITHMETIC[type(op)](a, b))


def compare(op: ast.cmpop, a: object, b: object) -> bool:
    if isinstance(op, (ast.Eq, ast.NotEq)):
        return (a == b) is isinstance(op, ast.Eq)
    if isinstance(op, (ast.In, ast.NotIn)):
        if not isinstance(b, list):
            raise ExpressionError("X04", f"'in' needs a list, got {shown(b)}")
        return (a in b) is isinstance(op, ast.In)
    return _COMPARE[type(op)](number(a), number(b))


def number(value: object) -> Any:
    if not isinstance(value, (int, float)):
        hint = "the length of a list is len(…), one of its elements …[0]" if isinstance(value, list) else None
        raise ExpressionError("X04", f"a number is needed, got {shown(value)}", hint)
    return value


def bounded(value: object) -> Any:
    if isinstance(value, (int, float)) and not abs(value) <= MAX_VALUE:
        raise ExpressionError("X04", "a number is larger than 2^53")
    if isinstance(value, complex):
        raise ExpressionError("X04", "a number is not real")
    return value
