"""What goes wrong around a run on the command line: told in a line, with nothing lost that was kept before."""

import resource

import keras
import numpy as np
import pytest

from archspec.cli import main
from archspec.training.checkpoint import Checkpoints
from archspec.training.identity import RunIdentity
from tests.data.conftest import picture, save
from tests.shares import few
from tests.training import runs

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def train(tmp_path, capsys):
    """``train(…)``: exit code and stderr of training the small run with further arguments."""

    def go(*arguments, run=runs.RUN, spec=runs.SPEC):
        code = main(["train", str(runs.write(tmp_path, run, spec)), "--quiet", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, err

    return go


@pytest.mark.parametrize("place", ["file/run", "/proc/archspec/run"])
def test_a_run_directory_that_cannot_be_made(tmp_path, train, place):
    (tmp_path / "file").write_text("")
    code, err = train("--logdir", tmp_path / place)
    assert code == 1
    assert "archspec: " in err and ("Not a directory" in err or "No such file" in err)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gone", "said"),
    few([("train/a/6.png", "photos/train/a/6.png; No such file or directory"), (".", "photos")], "train/a/6.png"),
)
def test_data_that_vanish_while_training(tmp_path, train, monkeypatch, gone, said):
    for i in range(24):
        save(tmp_path / "photos" / "train" / "ab"[i % 2] / f"{i}.png", picture(8, 8, i))
        save(tmp_path / "photos" / "val" / "ab"[i % 2] / f"{i}.png", picture(8, 8, i + 99))
    begin = keras.callbacks.CallbackList.on_epoch_begin

    def removing(self, epoch, logs=None):
        if epoch == 2:
            (tmp_path / "photos" / gone).rename(tmp_path / "elsewhere")
        begin(self, epoch, logs)

    monkeypatch.setattr(keras.callbacks.CallbackList, "on_epoch_begin", removing)
    run = runs.RUN.replace("data: digits", "data: {folder: photos}\nset: {classes: 2}").replace(
        "epochs: 4", "epochs: 60"
    )
    code, err = train(
        "--logdir",
        tmp_path / "run",
        run=run.replace("batch: 32", "batch: 8").replace("[shift", "[resize: 8, shift"),
        spec=runs.SPEC.replace("[8, 8, 1]", "[8, 8, 3]"),
    )
    assert code == 1, err
    assert said in err
    assert Checkpoints(tmp_path / "run", RunIdentity("")).steps()


@pytest.mark.slow
def test_a_full_disk_ends_a_run_with_what_it_lacks(tmp_path, train):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        code, err = train("--logdir", tmp_path / "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "a checkpoint takes" in err and "are free" in err
    assert "TensorBoard's files could not be written" not in err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "validation", "log.csv"])
def test_logs_that_cannot_be_written_do_not_end_a_run(tmp_path, capsys, name):
    (tmp_path / "run").mkdir()
    if name == "log.csv":
        (tmp_path / "run" / name).mkdir()
    else:
        (tmp_path / "run" / name).write_text("a file where a folder is to be")
    code = main(["train", str(runs.write(tmp_path)), "--logdir", str(tmp_path / "run")])
    err = capsys.readouterr().err
    assert code == 0, err
    assert ("log.csv could not be written" if name == "log.csv" else "TensorBoard's files could not be written") in err
    assert "training goes on" in err
    with np.load(tmp_path / "run" / "weights.npz") as file:
        assert file.files
