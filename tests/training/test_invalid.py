"""What a person is told about a run file that is wrong: every file of ``invalid/`` gives exactly the text beside it.

A new case is a .yaml file there; ``python -m tests.training.test_invalid`` writes the .txt of each (read what it wrote:
it is what people will see). Most are mistakes that people made, out of a collection of run files tried as new users
would.
"""

import contextlib
import os
from pathlib import Path

import pytest

from archspec.cli._run_check import faults, is_run

INVALID = Path(__file__).parent / "invalid"
CASES = sorted(path.stem for path in INVALID.glob("*.yaml"))


def said(case):
    """What ``check`` says of a case, from its folder."""
    with contextlib.chdir(INVALID):
        assert is_run(f"{case}.yaml")
        return "\n".join(d.render() for d in faults(f"{case}.yaml")) + "\n"


@pytest.mark.parametrize("case", CASES)
def test_mistake(case):
    text = said(case)
    assert text == (INVALID / f"{case}.txt").read_text("utf-8")
    assert f"{case}.yaml:" in text
    assert str(Path.cwd()) not in text


def test_nothing_is_said_of_a_run_that_can_start(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [resize: 32, rescale]\n"
        "train: {optimizer: {adam: 0.003}, epochs: 5}\n"
    )
    assert faults(str(path)) == []


def test_data_check_does_not_pass_a_run_that_cannot_start(tmp_path, capsys):
    from archspec.cli import main

    path = tmp_path / "run.yaml"
    path.write_text("archspec_run: 1\nspec: lenet5\ndata: digits\naugment: [rescale]\ntrain: {epochs: 5}\n")
    assert main(["data", "check", str(path)]) == 1
    assert "error[R05]" in capsys.readouterr().err
    assert main(["check", str(path)]) == 1


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for case in CASES:
        (INVALID / f"{case}.txt").write_text(said(case), "utf-8")
