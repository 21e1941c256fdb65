"""Runs that go to NaN or infinity, each for a reason of its own: seen at once, told, and no checkpoint spoilt."""

import re

import numpy as np
import pytest

from archspec.training.checkpoint import Checkpoints
from archspec.training.identity import identity
from archspec.training.outcome import NotFinite
from archspec.training.run import run
from tests.shares import few
from tests.training import runs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
COUNT, BATCH = 96, 16
LOGITS = runs.SPEC.replace(", activation: softmax", "").replace("  - batch_norm\n", "").replace("  - relu\n", "")
"""The small network without what keeps values small."""

RATES = {
    "sgd": "{optimizer: {sgd: 1.0e+4}}",
    "momentum": "{optimizer: {sgd: {learning_rate: 1.0e+4, momentum: 0.9}}}",
    "nesterov": "{optimizer: {sgd: {learning_rate: 1.0e+4, momentum: 0.9, nesterov: true}}}",
    "adam": "{optimizer: {adam: 1.0e+6}, rates: {'*': 1.0e+6}, epochs: 9}",
    "adamw": "{optimizer: {adamw: 1.0e+6}, rates: {'*': 1.0e+6}, epochs: 9}",
    "rmsprop": "{optimizer: {rmsprop: 1.0e+6}, rates: {'*': 1.0e+6}, epochs: 9}",
    "lion": "{optimizer: {lion: 1.0e+6}, rates: {'*': 1.0e+6}, epochs: 9}",
    "warm-up": "{optimizer: {sgd: 1.0e+4}, warmup: 1}",
    "accumulated": "{optimizer: {sgd: 1.0e+5}, accumulate: 2}",
    "averaged": "{optimizer: {sgd: 1.0e+5}, ema: 0.9}",
    "several steps at once": "{optimizer: {sgd: 1.0e+4}, steps_per_execution: 4}",
    "half precision": "{optimizer: {sgd: 1.0e+4}, precision: mixed_bfloat16}",
    "a scaled loss": "{optimizer: {adam: 1.0e+6}, rates: {'*': 1.0e+6}, precision: mixed_float16, epochs: 9}",
    "the best is kept": "{optimizer: {sgd: 1.0e+4}, monitor: accuracy, checkpoint_steps: 1}",
}


@pytest.fixture
def numbers(tmp_path):
    """``numbers(where, value)``: a data file with a value in the first pixel of one example of a split."""

    def make(split="train", value=np.nan, position=40):
        draw = np.random.default_rng(0)
        parts = {s: (draw.random((n, 8, 8, 1), "float32"), np.arange(n) % 10) for s, n in _sizes().items()}
        parts[split][0][position, 0, 0] = value
        path = tmp_path / "numbers.npz"
        arrays = {f"{name}_{s}": array for s, pair in parts.items() for name, array in zip("xy", pair, strict=True)}
        np.savez(path, **arrays)
        return f"{{npz: {path}}}"

    return make


def _sizes():
    return {"train": COUNT, "test": 40}


def ends(plan, logdir):
    """The message of a run that must go to NaN, and the step it was seen by; nothing that is kept is spoilt."""
    with pytest.raises(NotFinite) as found:
        run(plan, logdir, progress=None)
    kept = Checkpoints(logdir, identity(plan))
    for step in kept.steps():
        with np.load(logdir / "checkpoints" / f"{step:09d}" / "state.npz") as file:
            held = {n: file[n] for n in file.files if not n.startswith("metric/")}
        assert all(np.isfinite(v).all() for v in held.values() if v.dtype.kind == "f")
    steps = kept.steps()
    left = f"the last good checkpoint is that of step {steps[-1]}" if steps else "there was no checkpoint yet"
    message = found.value.message
    assert left in message
    assert not (logdir / "model.keras").exists()
    step = re.search(r"training went to NaN in epoch \d+, by step (\d+)", message)
    assert step, message
    return message, int(step[1])


@pytest.mark.parametrize("name", few(RATES, "adam", "accumulated", "half precision", "a scaled loss"))
def test_a_rate_that_is_far_too_large(plan, tmp_path, name):
    made = plan(
        RATES[name].replace("}", ", schedule: constant}", 1) if "schedule" in name else RATES[name], spec=LOGITS
    )
    message, _ = ends(made, tmp_path / "run")
    # The optimiser leaves a step out whose scaled loss is not finite.
    what = "the loss is" if name == "a scaled loss" else r"the weights of '[\w.]+' are"
    assert re.search(f"{what} not finite", message), message


@pytest.mark.parametrize(
    ("value", "together"), few([(v, t) for v in (np.nan, np.inf, -np.inf) for t in (1, 2)], np.nan)
)
def test_an_example_that_is_no_number_is_seen_in_its_step(plan, tmp_path, numbers, value, together):
    settings = f"{{batch: {BATCH}, steps_per_execution: {together}}}"
    made = plan(settings, spec=LOGITS, data=numbers("train", value), augment="[]")
    order = [batch["index"].numpy() for batch, _ in _batches(made)]
    struck = next(i for i, index in enumerate(order) if 40 in index) + 1
    _, step = ends(made, tmp_path / "run")
    assert struck <= step < struck + together


def test_weights_that_a_rectifier_hides_from_the_loss_are_seen_by_the_end_of_the_epoch(plan, tmp_path, numbers):
    message, step = ends(plan(f"{{batch: {BATCH}}}", data=numbers(), augment="[]"), tmp_path / "run")
    assert step == COUNT // BATCH
    assert "the weights of 'conv' are not finite" in message


def _batches(made):
    from itertools import islice

    return islice(made.pipeline.training(lambda batch: (batch, ())), made.steps)


def test_held_out_examples_that_are_no_numbers(plan, tmp_path, numbers):
    made = plan(f"{{batch: {BATCH}}}", spec=LOGITS, data=numbers("test", position=7), augment="[]")
    message, step = ends(made, tmp_path / "run")
    assert step == made.steps
    assert "the loss on test is not finite, the weights are" in message
