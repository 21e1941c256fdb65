"""Where results are to be written is looked at before an evaluation, not behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.runs.evaluation import evaluate
from archspec.training.errors import RunError
from archspec.training.looking import PLAIN
from tests.wording import refuses


@pytest.mark.parametrize("name", ["none/found.json", "."], ids=["no folder", "a folder"])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with refuses(RunError):
        evaluate([Path("no_run")], PLAIN, results=Path(name))
