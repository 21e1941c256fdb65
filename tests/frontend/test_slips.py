"""Readers of slips are bounded by the length of a line: what is hostile is not read at all."""

import pytest

from archspec.frontend import slips
from archspec.frontend.slips.stopped import positional


@pytest.mark.parametrize("where", [0, 1, 2])
def test_no_reader_is_asked_of_a_long_line(where, monkeypatch):
    def asked(stop):
        raise AssertionError("a reader was asked")

    monkeypatch.setattr(slips, "READERS", (asked,))
    monkeypatch.setattr(slips, "WITHOUT_COLON", (asked,))
    lines = ["a", "b", "c"]
    lines[where] = "[" * (slips.MAX_LINE + 1)
    for problem in ("could not find expected ':'", "mapping values are not allowed here"):
        assert slips.slip(lines, 2, 0, problem, (0, 0), "while parsing a flow mapping") is None
        with pytest.raises(AssertionError):
            slips.slip(["a", "b", "c"], 2, 0, problem, (0, 0), "while parsing a flow mapping")


def test_numbers_and_arguments_are_sought_in_short_lines_only():
    short = "{conv: {3, 9}, image: 32, 32, 1}"
    long = short + " " * slips.MAX_LINE
    assert positional(short, 8) and slips.numbers_apart(short, 23)
    assert positional(long, 8) is None and slips.numbers_apart(long, 23) is None
