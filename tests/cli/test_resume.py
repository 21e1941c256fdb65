"""More epochs for a run that is finished, and what ``resume`` says of it."""

import json

import numpy as np
import pytest

from archspec.cli import main
from tests.training import runs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

RUN = """
archspec_run: 1
spec: small.yaml
data: digits
augment: [rescale]
train: {optimizer: {sgd: 0.1}, schedule: constant, epochs: %d, batch: 128, seed: 5}
log: {pictures: 0}
"""


def test_a_finished_run_is_given_more_epochs_and_ends_where_one_of_so_many_ends(tmp_path, capsys):
    """The schedule is constant, so that it is the same run."""
    long, short = tmp_path / "long", tmp_path / "short"
    for folder, epochs in ((long, 3), (short, 2)):
        folder.mkdir()
        assert main(["train", str(runs.write(folder, RUN % epochs)), "--logdir", str(folder / "run"), "--quiet"]) == 0
    logdir = str(short / "run")
    capsys.readouterr()
    assert main(["resume", logdir]) == 0
    assert f"is finished already; 'archspec resume {logdir} --epochs N' trains it for more" in capsys.readouterr().err
    assert main(["resume", logdir, "--epochs", "2"]) == 2
    assert "has had 2 epochs; --epochs is how many there are to be in all" in capsys.readouterr().err
    assert (short / "run" / "model.keras").exists()
    assert main(["resume", logdir, "--epochs", "3"]) == 0
    err = capsys.readouterr().err
    assert "the run has 3 epochs from now on; the schedule 'constant' spans them all" in err
    runs.assert_same(long / "run", short / "run")
    with np.load(long / "run" / "weights.npz") as a, np.load(short / "run" / "weights.npz") as b:
        for name in a.files:
            np.testing.assert_array_equal(a[name], b[name])
    assert json.loads((short / "run" / "result.json").read_text())["epochs"] == 3
    assert "epochs: 3" in (short / "run" / "run.yaml").read_text()


def test_a_changed_run_file_ends_resume_with_what_was_changed_and_nothing_written(tmp_path, capsys):
    logdir = tmp_path / "run"
    assert main(["train", str(runs.write(tmp_path, RUN % 1)), "--logdir", str(logdir), "--quiet"]) == 0
    (logdir / "model.keras").unlink()
    text = (logdir / "run.yaml").read_text()
    (logdir / "run.yaml").write_text(text.replace("batch: 128\n  seed", "batch: 64\n  seed"))
    before = {p: p.read_bytes() for p in logdir.rglob("*") if p.is_file() and p.name != ".lock"}
    capsys.readouterr()
    assert main(["resume", str(logdir)]) == 1
    err = capsys.readouterr().err
    assert "is of another run: train.batch was 128 and is 64" in err and "Traceback" not in err
    assert {p: p.read_bytes() for p in logdir.rglob("*") if p.is_file() and p.name != ".lock"} == before
