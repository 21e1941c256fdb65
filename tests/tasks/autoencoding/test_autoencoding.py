"""Networks against their own inputs: what is spoilt is the input alone, in the same way each time."""

import json

import numpy as np
import pytest

import archspec
from archspec.cli import main
from archspec.ir.diagnostics import SpecError
from archspec.runs import Run
from archspec.runs.sampling import SampleSource

SPEC = """
archspec: 1
name: small
inputs: {image: [8, 8, 1]}
body: [flatten, {dense: {units: 12, activation: relu}, as: latent}, dense: 64, reshape: [8, 8, 1]]
heads:
  main: {body: [sigmoid], loss: binary_crossentropy}
"""
RUN = """
archspec_run: 1
spec: small.yaml
data: digits
augment: [rescale]
train: {task: {autoencoding: {corrupt: [cutout: 3]}}, optimizer: {adam: 0.005}, epochs: 8, batch: 32}
"""


def plan(folder, run=RUN, spec=SPEC):
    (folder / "small.yaml").write_text(spec)
    (folder / "run.yaml").write_text(run)
    return Run.open(folder / "run.yaml").plan()


REFUSED = [
    (RUN, SPEC.replace("[8, 8, 1]]", "[4, 16, 1]]"), "the network takes (8, 8, 1), head 'main' gives (4, 16, 1)"),
    (RUN.replace("epochs", "loss: categorical_crossentropy, epochs"), SPEC, "autoencoding compares numbers"),
    (RUN, SPEC.replace("_crossentropy}", "_crossentropy, metrics: [accuracy]}"), "reports mse and mae"),
    (RUN.replace("cutout: 3", "resize: 4"), SPEC, "images (8, 8, 1) would become (4, 4, 1)"),
    (RUN.replace("cutout: 3", "mixup: 0.2"), SPEC, "or mixed ones"),
    (RUN.replace("cutout: 3", "normalize: {mean: data, std: data}"), SPEC, "'normalize' prepares examples"),
]


@pytest.mark.parametrize(("run", "spec", "message"), REFUSED, ids=[message[:30] for *_, message in REFUSED])
def test_what_cannot_work_is_refused_before_keras(tmp_path, run, spec, message):
    with pytest.raises(SpecError) as caught:
        plan(tmp_path, run, spec)
    assert any(message in d.message for d in caught.value.diagnostics), [d.message for d in caught.value.diagnostics]


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_input_alone_is_spoilt_anew_each_epoch_and_the_same_each_time(tmp_path):
    made = plan(tmp_path)
    model = archspec.compile(made.graph, training=True)
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    plain = made.source.arrays("train")["image"] / 255.0

    def batch(step):
        x, y = next(iter(made.pipeline.training(objective.pairs, first_step=step)))
        return np.asarray(x), np.asarray(y)

    (x, y), (again, _) = batch(0), batch(0)
    np.testing.assert_array_equal(x, again)
    spoilt = (x != y).reshape(len(x), -1).sum(1)
    assert (spoilt <= 9).all() and spoilt.mean() > 2
    # What is to be made are images of the data, as they are.
    assert all(np.abs(plain - one).reshape(len(plain), -1).max(1).min() < 1e-6 for one in y)
    # The same image is spoilt elsewhere an epoch later.
    steps = made.steps

    def seen(first):
        """What was read for each image of a few steps."""
        pairs = [pair for step in range(first, first + 8) for pair in zip(*batch(step), strict=True)]
        return {one.tobytes(): given.tobytes() for given, one in pairs}

    first, later = seen(0), seen(steps)
    both = set(first) & set(later)
    assert len(both) > 5 and sum(first[one] != later[one] for one in both) > len(both) / 2


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_reports_errors_and_an_evaluation_the_same_and_what_is_asked_is_not_spoilt(tmp_path, capsys):
    plan(tmp_path)
    logdir = tmp_path / "out"
    assert main(["train", str(tmp_path / "run.yaml"), "--logdir", str(logdir), "--quiet", "--format", "json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["metrics"]) == {"loss", "mse", "mae"}
    assert main(["evaluate", str(logdir), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {n: found[n] for n in ("loss", "mse", "mae")} == pytest.approx(result["metrics"], rel=1e-4)
    assert found["examples"] == 360
    # The mean image is worse: something was learnt.
    test = Run.open(tmp_path / "run.yaml").plan().source.arrays("test")["image"] / 255.0
    assert found["mse"] < 0.8 * ((test - test.mean(0)) ** 2).mean()
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(logdir / "pictures"), size_guidance={"tensors": 0})
    board.Reload()
    assert "reconstructions" in board.Tags()["tensors"]
    Image.fromarray(np.rint(test[0, ..., 0] * 255).astype("uint8")).save(tmp_path / "one.png")
    assert main(["predict", str(logdir), str(tmp_path / "one.png"), "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    graph = Run.open(tmp_path / "run.yaml").plan().graph
    from archspec.training.trained import trained

    model = trained(graph, logdir / "weights.npz")
    own = np.asarray(model(test[:1].astype("float32")))
    assert record["mse"] == pytest.approx(float(((own - test[:1]) ** 2).mean()), rel=1e-3)
    # Draws in the place of the code, decoded by hand.
    assert main(["sample", str(logdir), "-n", "5", "--seed", "2", "-o", str(tmp_path / "s.npy")]) == 0
    draws = np.random.default_rng(2).normal(size=(5, 12)).astype("float32")
    kernel, bias = model.get_layer("dense").get_weights()
    wanted = 1 / (1 + np.exp(-(draws @ kernel + bias)))
    np.testing.assert_allclose(np.load(tmp_path / "s.npy").reshape(5, 64), wanted, atol=1e-5)
    assert main(["sample", str(logdir), "--result", "code", "-o", str(tmp_path / "s.npy")]) == 1
    assert "the network has no layer 'code' to draw from" in capsys.readouterr().err


@pytest.mark.tensorflow
def test_samples_of_logits_are_shares_wherever_the_loss_is_said(tmp_path):
    own = SPEC.replace("[sigmoid]", "[linear]")
    made = plan(
        tmp_path,
        RUN.replace("epochs", "loss: binary_crossentropy, epochs"),
        own.replace(", loss: binary_crossentropy", ""),
    )
    source = SampleSource.of(Run.open(tmp_path / "run.yaml")._request, None)
    model = archspec.compile(made.graph)
    wanted = source.drawing(tmp_path / "weights.npz", 4, 0, {}).wanted
    found = made.task.sample(made.graph, model, wanted)
    assert found.low == 0 and found.values.min() >= 0 and found.values.max() <= 1
    said = plan(tmp_path, RUN, own)
    np.testing.assert_array_equal(found.values, said.task.sample(said.graph, model, wanted).values)
