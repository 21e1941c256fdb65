"""The detector of the page on tasks learns BCCD, real photos with VOC's annotations, and the page's commands work."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest

from archspec.cli import main
from tests.docs.blocks import ROOT, shown

PAGE = ROOT / "docs" / "tasks.md"
FILES = ("detection.yaml", "detection_run.yaml")


def put(folder, photos):
    """The page's two files, and the photos as ``blood``."""
    for block in shown("yaml", pages=[PAGE]):
        if block.file in FILES:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    os.symlink(photos, folder / "blood")


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.long
def test_the_commands_of_the_page_reach_what_it_says(data, tmp_path, monkeypatch, capsys):
    put(tmp_path, data("bccd/BCCD"))
    monkeypatch.chdir(tmp_path)
    os.symlink(tmp_path / "blood" / "JPEGImages", tmp_path / "new_photos")
    commands = re.findall(r"^archspec (.*?)(?: +#.*)?$", PAGE.read_text().split("## detection\n")[1], re.MULTILINE)
    assert [shlex.split(line)[0] for line in commands[:6]] == ["data", "data", "data", "train", "evaluate", "predict"]
    for line in commands[:6]:
        assert main([*shlex.split(line)]) in (0, 1), line  # data check tells of BCCD's two empty boxes
        capsys.readouterr()
    assert main(["evaluate", "runs/blood", "--split", "test", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ap50"] >= 0.70 and found["class_ap50"][found["classes"].index("WBC")] >= 0.95
    assert json.loads((tmp_path / "found.json").read_text())
    assert len(list((tmp_path / "found").iterdir())) == len(list((tmp_path / "new_photos").iterdir()))
