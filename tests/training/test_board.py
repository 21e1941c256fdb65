"""What TensorBoard's files hold of a run, that a TensorBoard serves it, and that none of it touches the training."""

import csv
import json
import re
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest

from archspec.training.board.pace import Throttle
from archspec.training.board.settings import hyperparameters
from archspec.training.log import read_rows
from archspec.training.run import run
from tests.training import runs

ALL = "log: {steps: 7, histograms: 1, pictures: 1, embedding: second}"
TRAIN = (
    "{optimizer: {adam: 0.01}, epochs: 2, batch: 64, ema: 0.9, checkpoint_steps: 5, steps_per_execution: 1, seed: 3}"
)


def held(folder):
    """Everything in a folder's files of events."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()


def value(event):
    """The number of a scalar."""
    from tensorboard.util.tensor_util import make_ndarray

    return float(make_ndarray(event.tensor_proto))


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A run that logs everything, and its plan."""
    from archspec.runs import Run

    folder = tmp_path_factory.mktemp("board")
    text = f"archspec_run: 1\nspec: small.yaml\ndata: digits\naugment: [shift: 0.1, rescale]\ntrain: {TRAIN}\n{ALL}\n"
    made = Run.open(str(runs.write(folder, text))).plan()
    run(made, folder / "run", progress=None)
    return made, folder / "run"


@pytest.mark.tensorflow
@pytest.mark.slow
def test_with_all_of_it_or_none_a_run_ends_the_same_to_the_bit(full, plan, tmp_path):
    _, logdir = full
    run(
        plan(TRAIN, augment="[shift: 0.1, rescale]", rest="log: {steps: 0, pictures: 0}"),
        tmp_path / "none",
        progress=None,
    )
    assert not (tmp_path / "none" / "pictures").exists()
    assert [row for row in read_rows(tmp_path / "none" / "log.jsonl") if "step" in row] == []
    runs.assert_same(logdir, tmp_path / "none", within=False)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_files_hold_what_was_asked_for(full):
    made, logdir = full
    pictures = held(logdir / "pictures")
    curves = {f"{name}/pr_curves" for name in ("all classes", *"0123456789")}
    assert set(pictures.Tags()["tensors"]) == {"examples", "confusion", "layer", *curves}
    assert [event.step for event in pictures.Tensors("confusion")] == [1, 2]
    weights = {f"{node.layer}/{w.name}" for node in made.graph.owners() for w in node.weights if w.trainable}
    train = held(logdir / "train")
    assert {f"gradients/{name}" for name in weights} | {f"{name}/histogram" for name in weights} <= set(
        train.Tags()["tensors"]
    )
    assert [event.step for event in train.Tensors("second/kernel/histogram")] == [1, 2]
    about = held(logdir / "about")
    assert set(about.Tags()["tensors"]) == {"cost", "run", "data"}
    assert about.SummaryMetadata("data").summary_description.count("of train") == 8


@pytest.mark.tensorflow
@pytest.mark.slow
def test_epochs_count_from_one_and_steps_from_the_start_of_the_run(full):
    _, logdir = full
    train, validation = held(logdir / "train"), held(logdir / "validation")
    with (logdir / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    for events, prefix in ((train, ""), (validation, "val_")):
        told = [(event.step, value(event)) for event in events.Tensors("epoch_loss")]
        assert told == [(i, pytest.approx(float(row[f"{prefix}loss"]))) for i, row in enumerate(rows, 1)]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    within = [row for row in read_rows(logdir / "log.jsonl") if "step" in row]
    assert [(row["epoch"], row["step"]) for row in within] == [(1, 7), (1, 14), (1, 21), (2, 28), (2, 35), (2, 42)]
    for name in ("loss", "learning_rate", "examples_per_second"):
        told = [(event.step, value(event)) for event in train.Tensors(f"batch_{name}")]
        assert told == [(row["step"], pytest.approx(row[name], rel=1e-5)) for row in within]


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_graph_is_the_network_with_its_shapes(full):
    made, logdir = full
    from tensorflow.core.framework import graph_pb2

    drawn = graph_pb2.GraphDef.FromString(held(logdir / "train").Graph().SerializeToString())
    nodes = {node.name: node for node in drawn.node}
    assert set(nodes) == {"image", "outputs/main", *(node.name.replace(".", "/") for node in made.graph.nodes)}
    # The head's layer stands in the head's box.
    assert nodes["outputs/main"].input == ["main/dense"]
    second = made.graph.by_name["second"]
    assert nodes["second"].op == "conv" and nodes["second"].input == [second.inputs[0].node]
    (shape,) = nodes["second"].attr["_output_shapes"].list.shape
    assert [d.size for d in shape.dim] == [-1, *second.output.shape]
    assert nodes["second"].attr["params"].i == second.params == 8 * 8 * 9 + 8


@pytest.mark.slow
@pytest.mark.tensorflow
def test_where_nothing_is_said_there_are_pictures_but_no_histograms(plan, tmp_path):
    run(plan("{epochs: 1}"), tmp_path / "run", progress=None)
    assert "confusion" in held(tmp_path / "run" / "pictures").Tags()["tensors"]
    assert not (tmp_path / "run" / "pictures" / "projector_config.pbtxt").exists()
    assert not any(
        "histogram" in tag or "gradients" in tag for tag in held(tmp_path / "run" / "train").Tags()["tensors"]
    )


@pytest.mark.tensorflow
@pytest.mark.slow
def test_the_curves_are_those_of_the_weights_that_were_evaluated(full):
    """With averages these are not the weights of the last step; the model that is saved has them."""
    import keras

    made, logdir = full
    model = keras.saving.load_model(logdir / "model.keras")
    seen = made.pipeline.examples_at(range(360), 0, made.pipeline.eval_transforms, "test")
    said = model.predict(seen["image"], verbose=0)
    right = np.arange(10) == seen["label"][:, None]
    event = held(logdir / "pictures").Tensors("all classes/pr_curves")[-1]
    true, false, *_ = np.frombuffer(event.tensor_proto.tensor_content, np.float32).reshape(6, -1)
    for place in range(0, 101, 10):
        above = said >= place / 100
        assert true[place] == pytest.approx((above & right).sum(), abs=1)
        assert false[place] == pytest.approx((above & ~right).sum(), abs=1)


@pytest.mark.tensorflow
@pytest.mark.slow
def test_points_are_what_the_layer_gives(full):
    import keras

    made, logdir = full
    points = np.loadtxt(logdir / "pictures" / "vec.tsv", delimiter="\t")
    lines = (logdir / "pictures" / "meta.tsv").read_text().splitlines()
    assert lines[0] == "class\texample" and len(lines) == 1 + len(points) == 361
    model = keras.saving.load_model(logdir / "model.keras")
    inner = keras.Model(model.inputs, model.get_layer("second").output)
    arrays = made.source.arrays("test")
    assert [line.split("\t")[0] for line in lines[1:]] == [str(n) for n in arrays["label"]]
    seen = made.pipeline.examples_at(range(360), 0, made.pipeline.eval_transforms, "test")
    np.testing.assert_allclose(points, inner.predict(seen["image"], verbose=0).reshape(360, -1), atol=1e-4)


@pytest.mark.tensorflow
def test_gradients_are_those_of_a_training_step_and_leave_everything_as_it_was(plan):
    import keras
    import tensorflow as tf

    from archspec import compile
    from archspec.training.board.histograms import _gradients

    keras.utils.set_random_seed(0)
    made = plan(spec=runs.SPEC.replace("rate: 0.3", "rate: 0.0"))
    model = compile(made.graph, training=True)
    model.compile("sgd", "categorical_crossentropy")
    x, y = next(
        iter(made.pipeline.training(made.task.trainer(made.graph, model, made.spec.train, made.features).pairs))
    )
    before = [v.numpy() for v in model.variables]
    found = _gradients(model, model.trainable_variables, x, y)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    with tf.GradientTape() as tape:
        loss = keras.losses.categorical_crossentropy(y, model(x, training=True))
        loss = tf.reduce_mean(loss)
    for one, other in zip(found, tape.gradient(loss, [v.value for v in model.trainable_variables]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert any(np.any(v.numpy() != b) for v, b in zip(model.variables, before, strict=True)), (
        "training moves statistics"
    )


@pytest.mark.slow
@pytest.mark.tensorflow
def test_what_cannot_be_written_ends_the_logging_and_not_the_training(plan, tmp_path, monkeypatch, capsys):
    from archspec.training.board.events import Events

    def full_disk(self, step):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Events, "at", full_disk)
    result = run(plan("{epochs: 1}", rest=ALL), tmp_path / "run", progress=sys.stderr)
    assert result.finished
    assert "TensorBoard's files could not be written: [Errno 28] No space left on device" in capsys.readouterr().err


def test_settings_have_names_that_tell_runs_apart(plan):
    found = hyperparameters(plan("{optimizer: {sgd: {learning_rate: 0.1, momentum: 0.9}}, epochs: 3, clip: {norm: 1}}"))
    assert found["optimizer"] == "sgd" and found["optimizer.momentum"] == 0.9 and found["epochs"] == 3
    assert found["spec"] == "small" and found["data"] == "digits" and found["augment"] == "rescale"
    assert not {"weights", "patience", "task", "variant", "freeze"} & set(found)
    assert {type(value) for value in found.values()} <= {bool, int, float, str}


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_has_an_id_of_its_own_and_shows_its_best_epoch_beside_its_settings(full):
    from tensorboard.plugins.hparams import plugin_data_pb2

    _, logdir = full
    found = held(logdir / "validation")
    said = plugin_data_pb2.HParamsPluginData.FromString(
        found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    )
    assert said.session_start_info.group_name == str(logdir.resolve())
    with (logdir / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    best = min(range(len(rows)), key=lambda i: float(rows[i]["val_loss"]))
    (event,) = found.Tensors("best/accuracy")
    assert event.step == best + 1
    assert value(event) == pytest.approx(float(rows[best]["val_accuracy"]))


def test_runs_of_one_folder_name_are_two(tmp_path):
    from archspec.training.board.settings import trial

    assert trial(tmp_path / "a" / "1") != trial(tmp_path / "b" / "1")
    assert trial(tmp_path / "a" / ".." / "b" / "1") == trial(tmp_path / "b" / "1")


def test_a_pace_of_epochs_and_one_of_time(monkeypatch):
    from archspec.training.board import pace

    now = [0.0]
    monkeypatch.setattr(pace, "perf_counter", lambda: now[0])
    every = Throttle(3, 8)
    assert [epoch for epoch in range(8) if every.is_due(epoch)] == [0, 3, 6, 7]
    rare = Throttle(None, 1000)
    assert rare.is_due(0)
    with rare.taken():
        now[0] += 1
    now[0] += 49
    assert not rare.is_due(1) and rare.is_due(999)
    now[0] += 1
    assert rare.is_due(2)


@pytest.mark.slow
@pytest.mark.tensorflow
def test_a_tensorboard_serves_all_of_it(full):
    made, logdir = full
    command = [
        sys.executable,
        "-m",
        "tensorboard.main",
        "--logdir",
        str(logdir.parent),
        "--port",
        "0",
        "--host",
        "127.0.0.1",
    ]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        said = iter(server.stderr)
        url = next(m.group() for line in said if (m := re.search(r"http://\S+", line))) + "data/"

        def ask(path, body=None):
            sent = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url + path, sent, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()

        def told(path, body=None):
            return json.loads(ask(path, body))

        wanted = {*(f"run/{n}" for n in ("about", "pictures", "train", "validation"))}
        for _ in range(120):
            if set(told("runs")) == wanted and "run/pictures" in told("plugin/pr_curves/tags"):
                break
            time.sleep(0.5)
        assert set(told("runs")) == wanted
        used = {name for name, plugin in told("plugins_listing").items() if plugin["enabled"]}
        assert used >= {"scalars", "images", "histograms", "text", "pr_curves", "hparams", "graphs"}
        graphs = told("plugin/graphs/info")
        assert [run for run, about in graphs.items() if about["run_graph"]] == ["run/train"]
        drawn = ask("plugin/graphs/graph?run=run/train&limit_attr_size=1024&large_attrs_key=_too_large_attrs").decode()
        assert all(f'name: "{node.name.replace(".", "/")}"' in drawn for node in made.graph.nodes)
        curve = told("plugin/pr_curves/pr_curves?tag=all%20classes/pr_curves&run=run/pictures")["run/pictures"]
        assert [c["step"] for c in curve] == [1, 2] and max(curve[1]["precision"]) > 0.5
        for tag in ("examples", "confusion"):
            last = told(f"plugin/images/images?run=run/pictures&tag={tag}&sample=0")[-1]
            assert ask(f"plugin/images/individualImage?{last['query']}").startswith(b"\x89PNG")
        assert "gradients/second/kernel" in told("plugin/histograms/tags")["run/train"]
        (points,) = told("plugin/projector/info?run=run/pictures")["embeddings"]
        assert points["tensorName"] == "second" and points["tensorShape"][0] == 360
        values = np.frombuffer(ask("plugin/projector/tensor?run=run/pictures&name=second"), np.float32)
        np.testing.assert_allclose(
            values.reshape(points["tensorShape"]), np.loadtxt(logdir / "pictures" / "vec.tsv"), atol=1e-5
        )
        assert ask("plugin/projector/sprite_image?run=run/pictures&name=second").startswith(b"\x89PNG")
        asked = {"experimentName": "", "startIndex": 0, "sliceSize": 9, "allowedStatuses": ["STATUS_SUCCESS"]}
        (group,) = told("plugin/hparams/session_groups", {**asked, "colParams": []})["sessionGroups"]
        assert group["hparams"]["optimizer.learning_rate"] == 0.01
        metrics = told("plugin/hparams/experiment", {"experimentName": ""})["metricInfos"]
        names = {(m["name"]["group"], m["name"]["tag"]) for m in metrics}
        assert ("", "epoch_accuracy") in names
    finally:
        server.terminate()
        server.communicate(timeout=60)
