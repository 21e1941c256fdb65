"""``archspec train --dry-run``: one batch is tried, and nothing is written."""

import json

import pytest

from archspec.cli import main
from tests.wording import told


@pytest.mark.slow
def test_a_dry_run_tries_a_batch_and_writes_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "lenet5", "--dry-run", "--format", "json", "--quiet"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["params"], found["trainable"], found["batch"]) == (61706, 61706, 32)
    assert 0 < found["figures"]["loss"] < 10
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_refuses_what_a_run_does(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "lenet5", "--dry-run", "--set", "actvation=relu"]) == 1
    told(capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []
