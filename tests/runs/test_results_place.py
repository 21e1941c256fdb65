"""Where results are to be written is looked at before an evaluation, not behind it."""

from __future__ import annotations

import pytest

from archspec.runs.evaluation import evaluate
from archspec.training.errors import RunError
from archspec.training.evaluation import PLAIN


@pytest.mark.parametrize("name", ["none/found.json", "."])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path, name):
    with pytest.raises(RunError) as caught:
        evaluate([tmp_path / "no_run"], PLAIN, results=tmp_path / name)
    assert str(caught.value) == f"--results: {tmp_path / name} cannot be written: it is a folder, or lies in none"
