"""No spec of the catalogue has anything that is hardly meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec.cli import main

SPECS = Path(__file__).parents[2] / "specs"
FILES = sorted(path for path in SPECS.glob("*/*.yaml") if path.parent.name != "runs")


@pytest.mark.fast(20)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_strict_check_has_nothing_to_say(path, capsys):
    assert main(["check", "--strict", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "warning" not in out + err
