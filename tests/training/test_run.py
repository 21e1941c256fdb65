"""What settings of a run do to its weights, seen against a bare loop over Keras; what a run leaves behind."""

import csv
import json

import keras
import numpy as np
import pytest

from archspec.training.outcome import NotFinite
from archspec.training.run import run
from tests.shares import few
from tests.training.runs import state

pytestmark = pytest.mark.tensorflow

PLAIN = """
archspec: 1
name: small
inputs: {image: [8, 8, 1]}
body: [conv: {filters: 4, kernel: 3}, relu, flatten, {dense: 16, as: hidden}, relu]
heads:
  main: {body: [dense: {units: 10, activation: softmax}], loss: categorical_crossentropy}
"""


def trained(made, folder, **kwargs):
    """The result and the trained layers' weights by name."""
    result = run(made, folder, progress=None, **kwargs)
    model = keras.saving.load_model(folder / "model.keras")
    return result, {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def bare(made, optimizer, epochs=1):
    """The same batches through a bare compile and fit."""
    from archspec import compile

    keras.utils.set_random_seed(made.spec.train.seed)
    model = compile(made.graph)
    model.compile(optimizer, "categorical_crossentropy", jit_compile=False)
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    model.fit(made.pipeline.training(objective.pairs), epochs=epochs, steps_per_epoch=made.steps, verbose=0)
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def assert_close(one, other, tolerance=1e-5):
    assert list(one) == list(other)
    for name in one:
        for a, b in zip(one[name], other[name], strict=True):
            np.testing.assert_allclose(a, b, atol=tolerance, err_msg=name)


SETTINGS = {
    "momentum": ("optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}", lambda k: k.SGD(0.05, 0.9)),
    "norm": ("optimizer: {sgd: 0.1}, clip: {norm: 0.05}", lambda k: k.SGD(0.1, clipnorm=0.05)),
    "value": ("optimizer: {sgd: 0.1}, clip: {value: 0.001}", lambda k: k.SGD(0.1, clipvalue=0.001)),
    "global": ("optimizer: {sgd: 0.1}, clip: {global_norm: 0.05}", lambda k: k.SGD(0.1, global_clipnorm=0.05)),
    "accumulate": ("optimizer: {sgd: 0.1}, accumulate: 4", lambda k: k.SGD(0.1, gradient_accumulation_steps=4)),
    "ema": ("optimizer: {sgd: 0.1}, ema: 0.9", lambda k: k.SGD(0.1, use_ema=True, ema_momentum=0.9)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", few(SETTINGS, "global", "accumulate", "ema"))
def test_a_setting_does_what_keras_does(plan, tmp_path, name):
    text, optimizer = SETTINGS[name]
    made = plan(f"{{{text}, schedule: constant, epochs: 1, seed: 3}}", spec=PLAIN)
    _, weights = trained(made, tmp_path / "run")
    assert_close(weights, bare(made, optimizer(keras.optimizers)))
    with pytest.raises(AssertionError):
        assert_close(weights, bare(made, keras.optimizers.SGD(0.1)))


@pytest.mark.slow
def test_frozen_layers_stay_and_their_statistics(plan, tmp_path):
    spec = PLAIN.replace("kernel: 3}, relu", "kernel: 3}, batch_norm, relu")
    keras.utils.set_random_seed(0)
    from archspec import compile

    made = plan("{freeze: [conv, batch_norm], epochs: 1}", spec=spec)
    before = {layer.name: layer.get_weights() for layer in compile(made.graph).layers}
    _, weights = trained(made, tmp_path / "run")
    for name in ("conv", "batch_norm"):
        for a, b in zip(weights[name], before[name], strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.abs(weights["hidden"][0] - before["hidden"][0]).max() > 1e-3


@pytest.mark.slow
def test_rates_by_layer(plan, tmp_path):
    settings = "optimizer: {sgd: 0.05}, schedule: constant, epochs: 1, seed: 0"
    from archspec import compile

    made = plan(f"{{{settings}, batch: 1437}}", spec=PLAIN)
    keras.utils.set_random_seed(0)
    start = {layer.name: layer.get_weights() for layer in compile(made.graph).layers}
    _, plain = trained(made, tmp_path / "plain")
    halved = plan(f"{{{settings}, batch: 1437, rates: {{hidden: 0.5, conv: 0}}}}", spec=PLAIN)
    _, weights = trained(halved, tmp_path / "halved")
    step = plain["hidden"][0] - start["hidden"][0]
    np.testing.assert_allclose(weights["hidden"][0] - start["hidden"][0], step / 2, atol=1e-6)
    np.testing.assert_array_equal(weights["conv"][0], start["conv"][0])
    assert np.abs(step).max() > 1e-4


@pytest.mark.slow
def test_a_run_starts_from_the_weights_of_another_and_its_head_anew(plan, tmp_path):
    trained(plan("{epochs: 3}", spec=PLAIN), tmp_path / "first")
    before = np.load(tmp_path / "first" / "weights.npz")
    text = f"{{epochs: 1, freeze: [conv, hidden], weights: {tmp_path / 'first' / 'weights.npz'}}}"
    result, weights = trained(
        plan(text, spec=PLAIN.replace("units: 10", "units: 10, bias: false")), tmp_path / "second"
    )
    np.testing.assert_array_equal(weights["hidden"][0], before["hidden/kernel"])
    np.testing.assert_array_equal(weights["conv"][1], before["conv/bias"])
    assert len(weights["main.dense"]) == 1
    scratch, _ = trained(plan("{epochs: 1, freeze: [conv, hidden]}", spec=PLAIN), tmp_path / "third")
    assert result.metrics["accuracy"] > scratch.metrics["accuracy"]


@pytest.mark.slow
def test_the_rate_falls_on_a_plateau(plan, tmp_path):
    made = plan("{optimizer: {sgd: 1.0e-8}, schedule: {plateau: 1}, epochs: 4}", spec=PLAIN)
    trained(made, tmp_path / "run")
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    losses = [float(row["val_loss"]) for row in rows]
    expected = [1e-8 * made.spec.train.schedule.after(losses[:i]) for i in range(4)]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(expected, rel=1e-5)
    assert rows[0]["learning_rate"] == rows[1]["learning_rate"]


def test_weight_decay_spares_biases(plan, tmp_path):
    made = plan("{optimizer: {sgd: {learning_rate: 1.0e-6, weight_decay: 0.9}}, epochs: 1}", spec=PLAIN)
    from archspec.backend.build import compile
    from archspec.training.compiling import compiled

    model = compile(made.graph)
    compiled(model, made.task.trainer(made.graph, model, made.spec.train, made.features), made)
    decayed = [v.path for v in model.trainable_variables if model.optimizer._use_weight_decay(v)]
    assert [path.rpartition("/")[2] for path in decayed] == ["kernel"] * 3


@pytest.mark.parametrize("settings", ["precision: mixed_bfloat16", "precision: mixed_float16, ema: 0.9"])
@pytest.mark.slow
def test_mixed_precision_trains_and_saves_float32(plan, tmp_path, settings):
    result, weights = trained(plan(f"{{{settings}, epochs: 8}}", spec=PLAIN), tmp_path / "run")
    assert result.metrics["accuracy"] > 0.5
    assert {w.dtype for layer in weights.values() for w in layer} == {np.dtype("float32")}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_heads_stay_in_full_precision(plan, precision):
    from archspec.backend.build import compile
    from archspec.training.compiling import compiled, dtype_scope

    made = plan(f"{{precision: {precision}}}", spec=PLAIN)
    with dtype_scope(precision):
        model = compile(made.graph)
    assert model.output.dtype == "float32"
    assert model.get_layer("hidden").output.dtype == precision.removeprefix("mixed_")
    compiled(model, made.task.trainer(made.graph, model, made.spec.train, made.features), made)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")


@pytest.mark.slow
def test_class_weights_of_zero_leave_a_class_unlearnt(plan, tmp_path):
    trained(plan("{class_weight: [0, 1, 1, 1, 1, 1, 1, 1, 1, 1], epochs: 8}", spec=PLAIN), tmp_path / "run")
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    from sklearn.datasets import load_digits

    digits = load_digits()
    said = model.predict(digits.images[..., None] / 16, verbose=0).argmax(-1)
    assert (said == 0).sum() == 0
    assert (said == digits.target)[digits.target > 0].mean() > 0.85


@pytest.mark.slow
def test_two_runs_are_identical_and_another_seed_is_not(plan, tmp_path):
    text = "{{epochs: 2, seed: {}}}"
    logs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trained(plan(text.format(seed), augment="[shift: 0.1, rescale]"), tmp_path / name)
        logs.append((tmp_path / name / "log.csv").read_text())
    assert logs[0] == logs[1] != logs[2]


@pytest.mark.slow
def test_the_directory_holds_all_that_the_run_was_and_gave(plan, tmp_path):
    folder = tmp_path / "run"
    result, _ = trained(plan("{epochs: 3, monitor: accuracy}"), folder)
    held = {path.name for path in folder.iterdir()}
    assert held >= {"run.yaml", "spec", "environment.json", "table.md", "log.csv", "log.jsonl", "checkpoints"}
    assert held >= {"train", "validation", "model.keras", "weights.npz", "best.npz", "best.keras", "result.json"}
    assert json.loads((folder / "result.json").read_text())["metrics"] == result.metrics
    rows = list(csv.DictReader((folder / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["val_accuracy"]) == result.metrics["accuracy"]
    assert max(float(row["val_accuracy"]) for row in rows) == result.best["value"]
    assert "| second | conv |" in (folder / "table.md").read_text().replace("  ", " ")
    said = json.loads((folder / "environment.json").read_text())
    assert said["class_names"] == list("0123456789") and said["packages"]["keras"] == keras.__version__


@pytest.mark.slow
def test_the_reported_accuracy_is_that_of_the_saved_model(plan, tmp_path):
    made = plan("{epochs: 3, ema: 0.95}")
    result, _ = trained(made, tmp_path / "run")
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    objective = made.task.trainer(made.graph, model, made.spec.train, made.features)
    right = [
        (np.argmax(model(x, training=False), -1) == np.argmax(y, -1))
        for x, y in made.pipeline.evaluation("test", objective.pairs)
    ]
    assert np.concatenate(right).mean() == pytest.approx(result.metrics["accuracy"], abs=1e-6)


@pytest.mark.slow
def test_tensorboard_gets_scalars_texts_and_the_graph(plan, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained(plan("{epochs: 2}"), tmp_path / "run")
    events = EventAccumulator(str(tmp_path / "run" / "train"), size_guidance={"tensors": 0}).Reload()
    tags = events.Tags()
    assert {
        "epoch_loss",
        "epoch_accuracy",
        "epoch_learning_rate",
        "epoch_examples_per_second",
    } <= set(tags["tensors"])
    about = EventAccumulator(str(tmp_path / "run" / "about"), size_guidance={"tensors": 0}).Reload()
    assert {"cost", "run", "data"} == set(about.Tags()["tensors"])
    text = about.Tensors("cost")[0].tensor_proto.string_val[0].decode()
    assert "second" in text and "1,986" in text
    assert tags["graph"] or "keras" in tags["tensors"]


@pytest.mark.slow
def test_a_rate_that_is_far_too_large_ends_as_nan_with_the_last_good_checkpoint(plan, tmp_path):
    spec = PLAIN.replace("relu, ", "").replace(", relu", "").replace(", activation: softmax", "")
    made = plan("{optimizer: {sgd: 1000}, epochs: 3, steps_per_execution: 1, checkpoint_steps: 1}", spec=spec)
    with pytest.raises(
        NotFinite, match=r"went to NaN in epoch 1, by step .*last good checkpoint is that of step"
    ) as caught:
        run(made, tmp_path / "run", progress=None)
    kept = state(tmp_path / "run")
    assert all(np.isfinite(value).all() for name, value in kept.items() if not name.startswith("metric/"))
    assert caught.value.result.finished is False
    assert not (tmp_path / "run" / "model.keras").exists()
    assert json.loads((tmp_path / "run" / "result.json").read_text())["finished"] is False


@pytest.mark.slow
def test_patience_stops_a_run_that_no_longer_gets_better(plan, tmp_path):
    made = plan("{optimizer: {sgd: 1.0e-9}, monitor: loss, patience: 2, epochs: 9, schedule: constant}", spec=PLAIN)
    result, _ = trained(made, tmp_path / "run")
    assert result.epochs < 9
    assert result.epochs - result.best["step"] / made.steps == 2


@pytest.mark.slow
def test_the_schedule_goes_by_epochs_also_where_steps_are_gathered(plan, tmp_path):
    for name, text in {"each": "", "gathered": "accumulate: 3, "}.items():
        run(plan(f"{{{text}schedule: {{milestones: [1, 2]}}, epochs: 3}}", spec=PLAIN), tmp_path / name, progress=None)
    each, gathered = (
        [float(row["learning_rate"]) for row in csv.DictReader((tmp_path / name / "log.csv").open())]
        for name in ("each", "gathered")
    )
    # What is logged at the end of an epoch is the rate of the step to come.
    assert each == gathered == pytest.approx([1e-4, 1e-5, 1e-5])


@pytest.mark.slow
def test_what_is_left_out_of_the_data_is_counted(plan, tmp_path, capsys):
    import sys

    from PIL import Image

    draw = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3)):
        for name in ("cat", "dog"):
            folder = tmp_path / "data" / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(draw.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / f"{i}.png")
    for broken in ("train/cat/3.png", "train/dog/0.png", "val/dog/1.png"):
        (tmp_path / "data" / broken).write_bytes(b"no image")
    data = "{folder: {path: data, channels: 1, on_bad: skip}}"
    spec = PLAIN.replace("units: 10", "units: 2")
    made = plan("{epochs: 1, batch: 4}", augment="[resize: 8, rescale]", data=data, spec=spec)
    run(made, tmp_path / "run", progress=sys.stderr)
    said = capsys.readouterr().err
    assert "archspec: 2 of 16 examples of train cannot be read and are left out" in said
    assert "archspec: 1 of 6 examples of val cannot be read and are left out" in said
