"""Counts and sizes as people write them."""

import pytest

from archspec.ir.quantities import byte_size, count
from tests.wording import refuses


@pytest.mark.parametrize(
    ("text", "value"),
    [("5M", 5_000_000), ("600 M", 600_000_000), ("1.5G", 1_500_000_000), ("7B", 7 * 10**9), ("12", 12), ("0.25k", 250)],
)
def test_counts(text, value):
    assert count(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("24GiB", 24 * 2**30), ("24GB", 24 * 10**9), ("512 MiB", 2**29), ("100", 100), ("1.5KiB", 1536)]
)
def test_sizes(text, value):
    assert byte_size(text) == value


@pytest.mark.parametrize("text", ["", "M", "5 m", "5Mi", "-5M", "1e6", "5M5", "1.23456k", "inf"])
def test_what_is_neither_is_told(text):
    with refuses(ValueError):
        count(text)
    with refuses(ValueError):
        byte_size(text)
