"""Expressions against Python's own arithmetic, their whitelist and their limits."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archspec.frontend.arithmetic import FUNCTIONS, ExpressionError, make_divisible
from archspec.frontend.expressions import evaluate

NAMES = {"a": 7, "b": 2.5, "c": [3, 4, 5], "s": "relu", "t": True, "zero": 0}


def value(text: str):
    def lookup(name: str):
        if name not in NAMES:
            raise ExpressionError("N01", name)
        return NAMES[name]

    return evaluate(text, lookup)


@pytest.mark.parametrize(
    "text",
    [
        "a", "1", "-a", "+a", "a + 1", "a - b", "a * 3", "a / 2", "a // 2", "a % 3", "2 ** a", "-a // 2",
        "(a + 1) * 2",
        "a < 8", "1 < a < 8", "a == 7", "a != 7", "s == 'relu'", "s != \"tanh\"", "not a", "a and 0", "zero or a",
        "a if t else 0", "a if zero else b", "c[0]", "c[-1]", "c[a - 6]", "c[0:2]", "c[1:]", "[1, 2] + c",
        "a in c", "4 in c", "9 not in c",
        "min(a, 3)", "max(c)", "min(c[0], a)", "abs(-a)", "round(b)", "int(b)", "len(c)", "sum(c)",
        "range(3)", "range(5, 0, -2)", "'a' + 'b'", "a >= 7 and not (b > 3 or zero)",
    ],
)  # fmt: skip
def test_python_means_the_same(text):
    expected = eval(
        text, {"__builtins__": {}}, {**NAMES, **{f: __builtins__[f] for f in FUNCTIONS if f in __builtins__}}
    )
    expected = list(expected) if isinstance(expected, range) else expected
    assert value(text) == expected and type(value(text)) is type(expected)


def test_functions_that_python_has_elsewhere():
    assert value("floor(b)") == math.floor(2.5) and value("ceil(b)") == math.ceil(2.5)
    assert value("log2(8)") == 3 and type(value("log2(8)")) is int
    assert value("log2(a)") == math.log2(7)


@pytest.mark.parametrize(
    ("width", "expected"), [(32 * 0.35, 16), (24, 24), (33, 32), (36, 40), (3, 8), (64 * 1.4, 88), (18, 24)]
)
def test_make_divisible_is_mobilenets(width, expected):
    """Worked by hand from the rule of the MobileNet reference: nearest multiple, not more than 10 % below."""
    assert make_divisible(width) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "X01"), ("   ", "X01"), ("a +", "X01"), ("a b", "X01"), ("a = 1", "X01"), ("import os", "X01"),
        ("(", "X01"),
        ("a; b", "X01"), ("0777", "X01"), ("a.b(1)", "X02"), ("f(1)", "X02"), ("min(key=1)", "X02"),
        ("[x for x in c]", "X02"),
        ("{1: 2}", "X02"), ("{1}", "X02"), ("(1, 2)", "X02"), ("lambda: 1", "X02"), ("f'{a}'", "X02"),
        ("b'a'", "X02"),
        ("1j", "X02"), ("...", "X02"), ("a := 1", "X01"), ("(a := 1)", "X02"), ("c[0:2:1]", "X02"), ("*c", "X01"),
        ("max(*c)", "X02"), ("True", "X02"), ("None", "X02"), ("a is 7", "X02"), ("a << 2", "X02"), ("a @ a", "X02"),
        ("~a", "X02"), ("a & 1", "X02"), ("ａ", "X02"), ("'é'", "X02"), ("1 +" * 70 + "1", "X03"),
        ("1+" * 40 + "1", "X03"),
        ("2 ** 65", "X04"), ("9 ** 9 ** 9", "X04"), ("2 ** 63", "X04"), ("9007199254740993", "X04"),
        ("1e300 * 1", "X04"),
        ("-9007199254740992 - 1", "X04"), ("a // zero", "X04"), ("a % 0", "X04"), ("zero ** -1", "X04"),
        ("a + s", "X04"),
        ("s * 2", "X04"), ("c * 2", "X04"), ("-s", "X04"), ("a < s", "X04"), ("min()", "X04"), ("min(s)", "X04"),
        ("log2(0)", "X04"), ("(-8) ** 0.5", "X04"), ("range(2000)", "X04"), ("range(b)", "X04"), ("c[9]", "N03"),
        ("c['x']", "N03"), ("a[0]", "X04"), ("a.channels", "X04"), ("s.upper", "X04"), ("nope", "N01"),
        ("sum(a)", "X04"),
        ("make_divisible(a, 0)", "X04"), ("4 in a", "X04"), ("range(1, 2, 0)", "X04"), ("round(b, 1, 2)", "X04"),
        ("round(a, -9007199254740992)", "X04"), ("round(b, 17)", "X04"), ("round(b, 0.5)", "X04"),
    ],
)  # fmt: skip
def test_refused(text, code):
    with pytest.raises(ExpressionError) as error:
        value(text)
    assert error.value.code == code


def test_list_of_1024_is_the_longest():
    assert len(value("range(1024)")) == 1024
    with pytest.raises(ExpressionError):
        value("range(1024) + [1]")


@given(st.text(alphabet="ab()[]+-*/%.<>=!,0123456789 'ifelsnotrud\"_", max_size=60))
@settings(max_examples=2000, deadline=None)
def test_any_text_has_a_value_or_is_refused(text):
    try:
        found = value(text)
    except ExpressionError:
        return
    numbers = found if isinstance(found, list) else [found]
    assert all(abs(n) <= 2**53 for n in numbers if isinstance(n, (int, float)))


EXTREMES = ["0", "-1", "64", "9007199254740992", "-9007199254740992", "0.5", "1e-300", "-1e15", "c", "[]"]


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_no_arguments_take_a_function_long(name):
    known = 0
    for count in (1, 2, 3):
        for arguments in product(EXTREMES, repeat=count):
            try:
                found = value(f"{name}({', '.join(arguments)})")
            except ExpressionError:
                continue
            known += 1
            assert all(abs(n) <= 2**53 for n in (found if isinstance(found, list) else [found]))
    assert known
