"""Tables that are read for predictions: what their headings and rows must be."""

from __future__ import annotations

import pytest

from archspec.data.errors import DataError
from archspec.data.table import rows_of_numbers
from tests.wording import refuses


@pytest.mark.parametrize(
    "text", ["area,rooms\n", "area;rooms\n1;2\n", "area\trooms\n1\t2\n"], ids=["bare", "semicolons", "tabs"]
)
def test_a_table_without_rows_or_commas_is_told(tmp_path, text):
    (tmp_path / "t.csv").write_text(text)
    with refuses(DataError):
        rows_of_numbers(tmp_path / "t.csv", "utf-8", ("area", "rooms"), 2)
