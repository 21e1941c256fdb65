"""``=…`` expressions and references: parsed with ``ast``, walked against a whitelist, never compiled or executed.

A reference (``bb.c[i]``) is the same grammar without ``=``; its value is a result instead of a number. What a name
means is the caller's business: ``evaluate`` gets a lookup.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from archspec.frontend.arithmetic import (
    ARITHMETIC,
    FUNCTIONS,
    MAX_VALUE,
    ExpressionError,
    arithmetic,
    bounded,
    compare,
    number,
)
from archspec.ir.diagnostics import did_you_mean, shown

MAX_LENGTH = 200
MAX_NODES = 64


class Indexable:
    """What an expression may index or take attributes of, besides lists: results and bundles (frontend.scope)."""

    def item(self, index: object) -> Any:
        raise NotImplementedError

    def attribute(self, name: str) -> Any:
        raise NotImplementedError

    def depended(self, words: frozenset[str]) -> Any:
        """What the attributes ``words`` depend on, as part of a key. Raises TypeError where that cannot be told."""
        raise TypeError


_PARSED: dict[str, ast.expr] = {}


def parse(text: str) -> ast.expr:
    """The syntax tree of an expression, without its ``=``. Raises ExpressionError (X01 syntax, X02 not allowed)."""
    tree = _PARSED.get(text)
    if tree is None:
        if len(text) > MAX_LENGTH:
            raise ExpressionError("X03", f"an expression has at most {MAX_LENGTH} characters, this one {len(text)}")
        if not text.strip():
            raise ExpressionError("X01", "empty expression")
        if not text.isascii():
            # Python's parser takes look-alikes of letters for the letters.
            raise ExpressionError("X02", "an expression is written in ASCII letters", _ours(text))
        try:
            tree = _tree(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise ExpressionError("X01", f"'{text}' is not an expression", _ours(text)) from None
        try:
            _check(tree)
        except ExpressionError as error:
            error.help = _ours(text) or error.help
            raise error from None
        if len(_PARSED) > 4096:
            _PARSED.clear()
        _PARSED[text] = tree
    return tree


def _tree(text: str) -> ast.expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text.strip(), mode="eval").body
        except SyntaxError:
            first, *rest = text.strip().split(".")
            if not rest or not all(map(str.isidentifier, (first, *rest))) or iskeyword(first):
                raise
        # A name of the file may be a word of Python's behind a dot: ``owner.class``.
        tree: ast.expr = ast.Name(first, ast.Load())
        for word in rest:
            tree = ast.Attribute(tree, word, ast.Load())
        return ast.fix_missing_locations(tree)


def is_expression(text: str) -> bool:
    """Whether a text (without ``=``) can be read as an expression."""
    try:
        tree = _tree(text) if text.isascii() and len(text) <= MAX_LENGTH else None
        if tree is not None:
            _check(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, ExpressionError):
        return False
    return tree is not None


def names_in(text: str) -> set[str]:
    """The names that an expression reads, its functions left out."""
    return {name for name, _ in reads(text)}


def _ours(text: str) -> str | None:
    from archspec.frontend.other_forms import in_our_form

    return in_our_form(text, is_expression, written)


def written(expression: str) -> str:
    """An expression as a value of the text: with ``=``, and in quotes where commas and brackets need them."""
    text = f"={expression}"
    if not any(c in text for c in ",[]{}#:"):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'


def evaluate(text: str, lookup: Callable[[str], Any]) -> Any:
    """The value of an expression or reference, its names resolved by ``lookup``. Raises ExpressionError."""
    names = _READS.get(text)
    if names is None:
        names = reads(text)
    if names and names[0][0] == text:
        return lookup(text)
    try:
        key = _key(text, names, lookup)
        if key is None:
            return _value(parse(text), lookup)
        value = _VALUES.get(key, _VALUES)
        if value is _VALUES:
            value = _value(parse(text), lookup)
            if len(_VALUES) >= KEPT:
                _VALUES.clear()
            if type(value) in _SCALARS or (type(value) is list and all(type(item) in _SCALARS for item in value)):
                _VALUES[key] = value
        return value.copy() if type(value) is list else value
    except ZeroDivisionError:
        raise ExpressionError("X04", f"division by zero in '{text}'") from None
    except (TypeError, ValueError, OverflowError, AttributeError):
        raise ExpressionError("X04", f"'{text}' has no value: an operand is of the wrong kind") from None


Reads = tuple[tuple[str, frozenset[str] | None], ...]
"""Names, and the attributes that are taken of each; None where the value itself is read."""

KEPT = 8192
"""Values of expressions that are kept."""
_VALUES: dict[Any, Any] = {}
_READS: dict[str, Reads] = {}
_SCALARS = frozenset((int, float, str, bool, type(None)))
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z", re.ASCII)


def reads(text: str) -> Reads:
    """What an expression reads; a name alone is itself the first. Raises ExpressionError."""
    found = _READS.get(text)
    if found is None:
        # Most are a name and no more, which needs no parser.
        if _IDENTIFIER.match(text) and text not in ("True", "False", "None"):
            found = ((text, None),)
        else:
            names: dict[str, frozenset[str] | None] = {}
            _collect(parse(text), names)
            found = tuple(names.items())
        if len(_READS) >= KEPT:
            _READS.clear()
        _READS[text] = found
    return found


def _collect(node: ast.AST, names: dict[str, frozenset[str] | None]) -> None:
    match node:
        case ast.Name(id=name):
            names[name] = None
        case ast.Attribute(value=ast.Name(id=name), attr=word):
            words = names.get(name, frozenset())
            names[name] = None if words is None else words | {word}
        case ast.Call(args=args):
            for argument in args:
                _collect(argument, names)
        case _:
            for child in ast.iter_child_nodes(node):
                _collect(child, names)


def depended(value: Any, words: frozenset[str] | None) -> Any:
    """What depends on a value, or on attributes of it alone, as part of a key. Raises TypeError where that is more than
    numbers, words, lists of them, and shapes."""
    kind = type(value)
    if kind in _SCALARS:
        # 1, 1.0 and true are equal, and mean different things.
        return (kind, value)
    if kind is list:
        return (list, *[depended(item, None) for item in value])
    if kind is dict:
        return (dict, *[(name, depended(item, None)) for name, item in value.items()])
    if words is not None and isinstance(value, Indexable):
        return value.depended(words)
    raise TypeError


def _key(text: str, names: Reads, lookup: Callable[[str], Any]) -> tuple[Any, ...] | None:
    """What the value of an expression depends on; None where that is more than can be told."""
    try:
        return (text, *[depended(lookup(name), words) for name, words in names])
    except Exception:
        # One that is not known may be one that the expression does not come to.
        return None


def _check(tree: ast.expr) -> None:
    """Refuse, before anything is evaluated, every kind of syntax that is not listed here."""
    count = 0
    for node in ast.walk(tree):
        count += isinstance(node, ast.expr)
        match node:
            case ast.Name(id="True" | "False" | "None"):
                raise ExpressionError("X02", "write true, false or null outside of expressions")
            case (
                ast.Name() | ast.Attribute() | ast.Subscript() | ast.IfExp() | ast.BoolOp() | ast.Compare() | ast.List()
            ):
                pass
            case ast.Constant(value=bool() | None):
                raise ExpressionError(
                    "X02", f"{node.value!r} is not part of the expression grammar", "compare, or use a parameter"
                )
            case ast.Constant(value=int() | float() | str()):
                if isinstance(node.value, (int, float)) and not abs(node.value) <= MAX_VALUE:
                    raise ExpressionError("X04", "a number is larger than 2^53")
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not()):
                pass
            case ast.BinOp(op=op) if isinstance(op, ast.Add) or type(op) in ARITHMETIC:
                pass
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
                if any(isinstance(a, ast.Starred) for a in node.args):
                    raise ExpressionError("X02", "Starred is not allowed in an expression")
            case ast.Call():
                raise _unknown_function(node)
            case ast.Slice(step=None):
                pass
            case ast.expr_context() | ast.operator() | ast.unaryop() | ast.boolop():
                pass
            case ast.cmpop():
                if isinstance(node, (ast.Is, ast.IsNot)):
                    raise ExpressionError("X02", "use == and != in an expression")
            case _:
                raise _not_allowed(node)
    if count > MAX_NODES:
        raise ExpressionError("X03", f"an expression has at most {MAX_NODES} parts, this one {count}")


_FUNCTION_WORDS = {"length": "len", "size": "len", "count": "len", "trunc": "int", "integer": "int"}
"""What other languages call the functions, where the words are not near."""


def _not_allowed(node: ast.AST) -> ExpressionError:
    from archspec.frontend.spellings import described, instead

    return ExpressionError("X02", f"{described(node)} is not allowed in an expression", instead(node))


def _unknown_function(call: ast.Call) -> ExpressionError:
    """The error for a call of what is no function of the language."""
    if not isinstance(call.func, (ast.Name, ast.Attribute)):
        return ExpressionError("X02", "only functions can be called", f"functions are {', '.join(FUNCTIONS)}")
    called = ast.unparse(call.func)[:40]
    if isinstance(call.func, ast.Name) and called in FUNCTIONS:
        return ExpressionError("X02", f"{called} takes its arguments by position", f"{called}(a, b)")
    from archspec.frontend.spellings import LOOPS

    if called in LOOPS:
        return UnknownFunction(called, "0", LOOPS[called])
    near = _FUNCTION_WORDS.get(called.lower())
    hint = f"did you mean '{near}'?" if near else did_you_mean(called.rpartition(".")[2], FUNCTIONS)
    return UnknownFunction(called, ast.unparse(call.args[0])[:40] if call.args else "0", hint)


def _value(node: ast.expr, lookup: Callable[[str], Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return lookup(name)
        case ast.Attribute(value=of, attr=name):
            target = _value(of, lookup)
            if not isinstance(target, Indexable):
                is_length = isinstance(target, list) and name in ("length", "len", "size", "count", "shape")
                hint = f"the length of a list is len({ast.unparse(of)})" if is_length else None
                message = f"{shown(target)} has no '{name}': shapes and ports belong to named results"
                raise ExpressionError("X04", message, hint)
            return target.attribute(name)
        case ast.Subscript(value=of, slice=ast.Slice(lower=lower, upper=upper)):
            ends = [None if end is None else _value(end, lookup) for end in (lower, upper)]
            return _stretch(_value(of, lookup), *ends)
        case ast.Subscript(value=of, slice=index):
            target, at = _value(of, lookup), _value(index, lookup)
            if isinstance(target, Indexable):
                return target.item(at)
            return _element(target, at)
        case ast.BinOp(left=left, op=op, right=right):
            return arithmetic(op, _value(left, lookup), _value(right, lookup))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, lookup)
        case ast.UnaryOp(op=op, operand=operand):
            value = number(_value(operand, lookup))
            return -value if isinstance(op, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            stop = isinstance(op, ast.Or)
            result: Any = None
            for operand in values:
                result = _value(operand, lookup)
                if bool(result) is stop:
                    return result
            return result
        case ast.Compare(left=left, ops=ops, comparators=rights):
            a = _value(left, lookup)
            for comparison, right in zip(ops, rights, strict=True):
                b = _value(right, lookup)
                if not compare(comparison, a, b):
                    return False
                a = b
            return True
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, lookup) else orelse, lookup)
        case ast.List(elts=items):
            return [_value(item, lookup) for item in items]
        case ast.Call(func=ast.Name(id=name), args=args):
            values = [_value(arg, lookup) for arg in args]
            flat = [v for value in values for v in (value if isinstance(value, list) else [value])]
            if name != "len" and not all(isinstance(v, (int, float)) for v in flat):
                raise ExpressionError("X04", f"{name} takes numbers, got {shown(values[0] if values else None)}")
            return bounded(FUNCTIONS[name](*values))
        case _:
            raise ExpressionError("X02", f"{type(node).__name__} is not allowed in an expression")


def _element(target: object, index: object) -> Any:
    if not isinstance(target, list):
        raise ExpressionError("X04", f"{shown(target)} has no elements")
    if not isinstance(index, int) or not -len(target) <= index < len(target):
        raise ExpressionError("N03", f"no element [{shown(index)}]", f"the list has {len(target)} elements, from 0")
    return target[index]


def _stretch(target: Any, start: Any, stop: Any) -> Any:
    if not isinstance(target, list):
        raise ExpressionError("X04", f"{shown(target)} has no elements")
    if any(end is not None and type(end) is not int for end in (start, stop)):
        raise ExpressionError("X04", f"a list is cut at integers, got [{shown(start)}:{shown(stop)}]")
    return target[start:stop]


def missing_element(index: object, valid: list[Any]) -> ExpressionError:
    """The error for an index that a family does not have."""
    return ExpressionError("N03", f"no element [{shown(index)}]", f"valid: {shown(valid)}")


class UnknownFunction(ExpressionError):
    """The error for a call of what is no function of the language."""

    def __init__(self, name: str, argument: str, hint: str | None):
        super().__init__("X02", f"there is no function '{name}'", hint or f"functions are {', '.join(FUNCTIONS)}")
        self.name, self.argument = name, argument


class UnknownName(ExpressionError):
    """The error for a name that nothing defines."""

    def __init__(self, name: str, known: list[str]):
        super().__init__("N01", f"unknown name '{name}' in expression", did_you_mean(name, known))
        self.name = name
