"""The rows of a run's log: when one is due, what it says of the steps since the last, and what becomes of them."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from archspec.training.checkpoint import Position
from archspec.training.log import RunLog, read_rows
from archspec.training.schedules import rates
from tests.training import runs

STEPS = 44
LOSSES = np.random.default_rng(0).random(4 * STEPS) * 3


class Training:
    """What Keras and the keeper of the position do about a log, with losses of our own."""

    def __init__(self, plan, logdir, position=None):
        import keras

        self.position, self.said = position or Position(), []
        self.log = RunLog(plan, self.position, logdir, self.said.append)
        tracker = SimpleNamespace()
        tracker.metrics = [keras.metrics.Mean(name="loss"), keras.metrics.AUC(name="auc")]
        self.model = tracker

    def until(self, last, every=1):
        """Do steps up to this one, Python being asked after so many."""
        while self.position.step < last:
            if self.position.step % STEPS == 0 or not hasattr(self, "begun"):
                self.log.begin_epoch()
                self.begun = True
            self.position.step += every
            start = (self.position.step - 1) // STEPS * STEPS
            mean = float(np.float32(LOSSES[start : self.position.step].mean()))
            self.log.step(self.model, {"loss": mean, "auc": 0.5})
            if self.position.step % STEPS == 0:
                self.position.history.append({"loss": mean, "val_loss": 1.0, "learning_rate": 0.1})
                self.log.epoch()


def within(logdir):
    return [row for row in read_rows(logdir / "log.jsonl") if "step" in row]


@pytest.mark.tensorflow
def test_a_row_is_the_mean_of_the_steps_since_the_last_and_has_their_rate(plan, tmp_path):
    made = plan("{optimizer: {sgd: 0.5}, schedule: cosine, warmup: 0.5, epochs: 4, batch: 32}", rest="log: {steps: 20}")
    Training(made, tmp_path).until(2 * STEPS)
    found = within(tmp_path)
    assert [(row["epoch"], row["step"]) for row in found] == [(1, 20), (1, 40), (2, 60), (2, 80)]
    table = rates(made.train.schedule, 0.5, 4, STEPS, 0.5)
    for row, first in zip(found, (0, 20, 44, 60), strict=True):
        assert row["loss"] == pytest.approx(LOSSES[first : row["step"]].mean(), rel=1e-5)
        assert row["learning_rate"] == table[row["step"] - 1]
        assert row["examples_per_second"] > 0
        assert set(row) == {"epoch", "step", "loss", "learning_rate", "examples_per_second"}
    # Rows of epochs stand behind those of their steps.
    assert [row.get("step") for row in read_rows(tmp_path / "log.jsonl")] == [20, 40, None, 60, 80, None]


@pytest.mark.tensorflow
def test_where_python_is_asked_less_often_a_row_is_of_the_steps_that_were_done(plan, tmp_path):
    made = plan("{epochs: 4, batch: 32}", rest="log: {steps: 10}")
    Training(made, tmp_path).until(2 * STEPS, every=22)
    found = within(tmp_path)
    assert [row["step"] for row in found] == [22, 44, 66, 88]
    assert found[1]["loss"] == pytest.approx(LOSSES[22:44].mean(), rel=1e-5)
    assert found[2]["loss"] == pytest.approx(LOSSES[44:66].mean(), rel=1e-5)


@pytest.mark.tensorflow
def test_what_plateau_has_made_of_the_rate_is_told(plan, tmp_path):
    made = plan(
        "{optimizer: {sgd: 0.5}, schedule: {plateau: {patience: 1, by: 0.5}}, epochs: 4}", rest="log: {steps: 30}"
    )
    Training(made, tmp_path).until(3 * STEPS)
    # The loss on the evaluated split has stayed as it was after the second epoch.
    assert [(row["epoch"], row["learning_rate"]) for row in within(tmp_path)] == [
        (1, 0.5),
        (2, 0.5),
        (3, 0.25),
        (3, 0.25),
    ]


@pytest.mark.tensorflow
def test_a_run_that_goes_on_has_the_rows_of_one_that_was_not_stopped(plan, tmp_path):
    made = plan("{epochs: 4, batch: 32}", rest="log: {steps: 20}")
    Training(made, tmp_path).until(2 * STEPS)
    wanted = runs.rows(tmp_path)
    stopped = tmp_path / "stopped"
    stopped.mkdir()
    first = Training(made, stopped)
    first.until(70)
    kept = Position.of(json.loads(json.dumps(asdict(first.position))))
    # What was done after the checkpoint is lost, and half a line is left of it.
    first.until(84)
    with (stopped / "log.jsonl").open("a") as file:
        file.write('{"epoch": 2, "st')
    Training(made, stopped, kept).until(2 * STEPS)
    assert runs.rows(stopped) == wanted


@pytest.mark.tensorflow
def test_a_log_without_rows_of_steps_is_gone_on_with(plan, tmp_path):
    """As runs of before had them."""
    (tmp_path / "log.jsonl").write_text('{"epoch": 1, "loss": 2.0}\n')
    position = Position.of({"step": STEPS, "history": [{"loss": 2.0}], "best": None})
    Training(plan("{epochs: 4, batch: 32}"), tmp_path, position).until(2 * STEPS)
    assert [row.get("step") for row in read_rows(tmp_path / "log.jsonl")] == [None, 50, None]


@pytest.mark.tensorflow
def test_a_log_that_cannot_be_written_is_told_of_once(plan, tmp_path):
    (tmp_path / "log.jsonl").mkdir()
    training = Training(plan("{epochs: 4, batch: 32}", rest="log: {steps: 5}"), tmp_path)
    training.until(2 * STEPS)
    training.log.write()
    assert len(training.said) == 1
    assert training.said[0].startswith("log.jsonl could not be written:")
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == "epoch,loss,val_loss,learning_rate"
