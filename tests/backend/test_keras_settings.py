"""What a Keras file says of its layers is what the spec says, or the file is refused with both values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend.weights import assign, imported
from archspec.backend.wiring import WeightsError
from tests.backend import torch_files
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
CASES = Path(__file__).parent / "cases"


def spec(tmp_path, inputs, body):
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: net\ninputs: {inputs}\nbody: {body}\n")
    return archspec.load(path)


def difference(name, graph):
    """How far outputs are from those that Keras computed when it wrote the file."""
    kept = np.load(CASES / f"{name.partition('.')[0]}.io.npz")
    model = archspec.compile(graph)
    assign(model, imported(CASES / name, graph).values)
    return np.abs(np.asarray(model(kept["x0"])) - kept["y"]).max()


@pytest.mark.slow
def test_a_gate_function(tmp_path):
    for name in ("k7.h5", "k7.keras"):
        with refuses(WeightsError):
            imported(CASES / name, archspec.load(CASES / "k7.yaml"))
        right = spec(tmp_path, "{x: [5, 3]}", "[lstm: {units: 4, gate_activation: hard_sigmoid}]")
        assert difference(name, right) < 1e-6


NOT_COMPARED = (
    "the file holds arrays alone: the order of layers, layers without weights, activations, padding, strides and "
    "epsilon were not compared"
)


def test_arrays_alone_are_taken_with_a_note():
    assert imported(CASES / "k7.weights.h5", archspec.load(CASES / "k7.yaml")).notes == (NOT_COMPARED,)


@pytest.mark.parametrize("suffix", [".weights.h5", ".npz", ".safetensors", ".pth"])
def test_arrays_under_the_names_of_the_spec_are_no_more_than_arrays(suffix, tmp_path, monkeypatch):
    """The file is of a network with no pool, no padding and another activation: nothing in it says so."""
    here = spec(tmp_path, "{x: [8, 8, 1]}", "[{conv: {filters: 2, kernel: 3}, as: c}, {max_pool: 2}, relu]")
    path = tmp_path / f"w{suffix}"
    ours = {"c/kernel": np.ones((3, 3, 1, 2), "float32"), "c/bias": np.zeros(2, "float32")}
    theirs = {"c.weight": np.ones((2, 1, 3, 3), "float32"), "c.bias": np.zeros(2, "float32")}
    match suffix:
        case ".weights.h5":
            body = "[{conv: {filters: 2, kernel: 3, padding: valid}, as: c}, tanh]"
            archspec.compile(spec(tmp_path, "{x: [8, 8, 1]}", body)).save_weights(path)
        case ".npz":
            np.savez(path, **ours)
        case ".safetensors":
            from safetensors.numpy import save_file

            save_file(theirs, path, metadata={"format": "pt"})
        case ".pth":
            torch_files.stand_ins(monkeypatch)
            path.write_bytes(torch_files.saved(theirs))
    assert imported(path, here).notes == (NOT_COMPARED,)


def test_of_equal_names_settings_are_compared_before_shapes(tmp_path):
    """Another padding is why the matrix behind has another shape."""
    body = "[{{conv: {{filters: 6, kernel: 3, padding: {}}}, as: c1}}, flatten, {{dense: 5, as: fc}}]"
    archspec.compile(spec(tmp_path, "{x: [8, 8, 1]}", body.format("same"))).save(tmp_path / "w.keras")
    with refuses(WeightsError):
        imported(tmp_path / "w.keras", spec(tmp_path, "{x: [8, 8, 1]}", body.format("valid")))
    other = body.format("same").replace("dense: 5", "dense: 4")
    with refuses(WeightsError):
        imported(tmp_path / "w.keras", spec(tmp_path, "{x: [8, 8, 1]}", other))


@pytest.mark.parametrize("theirs", ["{conv: {filters: 4, kernel: [3, 3]}}", "{dense: 4}", "{lstm: 4}"])
def test_of_equal_names_and_another_kind_the_shapes_are_told(theirs, tmp_path):
    shape = {"{c": "{x: [8, 8, 2]}", "{l": "{x: [8, 2]}", "{d": "{x: [8]}"}[theirs[:2]]
    archspec.compile(spec(tmp_path, shape, f"[{theirs[:-1]}, as: a}}]")).save(tmp_path / "w.keras")
    with refuses(WeightsError):
        imported(tmp_path / "w.keras", spec(tmp_path, "{x: [8, 2]}", "[{conv: {filters: 4, kernel: 3}, as: a}]"))


@pytest.mark.slow
def test_padding_and_activation(tmp_path):
    for name in ("k8.h5", "k8.keras"):
        with refuses(WeightsError):
            imported(CASES / name, archspec.load(CASES / "k8.yaml"))
        right = spec(
            tmp_path, "{x: [8, 6, 3]}", "[conv: {filters: 4, kernel: 3, stride: 2, padding: same}, dropout: 0.1, relu]"
        )
        assert difference(name, right) < 1e-5


@pytest.mark.slow
def test_what_differs_in_a_model_within_a_model(tmp_path):
    for name in ("k4.h5", "k4.keras"):
        with refuses(WeightsError):
            imported(CASES / name, archspec.load(CASES / "k4.yaml"))
    body = "[conv: {filters: 4, kernel: 3, padding: valid}, batch_norm: {epsilon: 0.001}, flatten, dense: 2]"
    for name in ("k4.h5", "k4.keras", "k4.weights.h5"):
        assert difference(name, spec(tmp_path, "{x: [8, 6, 3]}", body)) < 1e-5


def test_a_setting_is_told_before_the_shapes_that_come_of_it(tmp_path):
    """Names differ, so that layers are told by their wiring: padding is why the dense layer has other shapes."""
    keras = pytest.importorskip("keras")
    x = keras.Input((8, 6, 3))
    y = keras.layers.Conv2D(4, 3, padding="same", name="one")(x)
    keras.Model(x, keras.layers.Dense(2, name="two")(keras.layers.Flatten()(y))).save(tmp_path / "net.keras")
    graph = spec(tmp_path, "{x: [8, 6, 3]}", "[conv: {filters: 4, kernel: 3, padding: valid}, flatten, dense: 2]")
    with refuses(WeightsError):
        imported(tmp_path / "net.keras", graph)
    graph = spec(tmp_path, "{x: [8, 6, 3]}", "[conv: {filters: 4, kernel: 3}, flatten, dense: 3]")
    with refuses(WeightsError):
        imported(tmp_path / "net.keras", graph)


@pytest.mark.fast(1)
@pytest.mark.parametrize("suffix", [".h5", ".keras", ".weights.h5"])
def test_attention_to_itself(suffix):
    assert difference(f"k11{suffix}", archspec.load(CASES / "k11.yaml")) < 1e-6


# layers of Keras, and what the spec says: right, or what is said
PAIRS = {
    "zeros before": ("ZeroPadding2D(1)+Conv2D(4, 3)", "[conv: {filters: 4, kernel: 3, padding: 1}]", None),
    "zeros before on both sides": (
        "ZeroPadding2D(((1, 0), (0, 1)))+Conv2D(4, 3, strides=2)",
        "[pad: [[1, 0], [0, 1]], conv: {filters: 4, kernel: 3, stride: 2, padding: valid}]",
        None,
    ),
    "same is as many zeros": ("Conv2D(4, 3, padding='same')", "[conv: {filters: 4, kernel: 3, padding: 1}]", None),
    "same of a stride is not": (
        "Conv2D(4, 3, strides=2, padding='same')",
        "[conv: {filters: 4, kernel: 3, stride: 2, padding: 1}]",
        "padding is same in the file, 1 in the spec",
    ),
    "an activation behind": (
        "Conv2D(4, 3)+ReLU()",
        "[conv: {filters: 4, kernel: 3, padding: valid, activation: relu}]",
        None,
    ),
    "two names of one": (
        "Conv2D(4, 3, activation='swish')",
        "[conv: {filters: 4, kernel: 3, padding: valid}, silu]",
        None,
    ),
    "another slope": (
        "Conv2D(4, 3)+LeakyReLU(0.1)",
        "[conv: {filters: 4, kernel: 3, padding: valid, activation: {leaky_relu: 0.2}}]",
        r"activation is leaky_relu\(0.1\) in the file, leaky_relu\(0.2\) in the spec",
    ),
    "no activation": (
        "Conv2D(4, 3)",
        "[conv: {filters: 4, kernel: 3, padding: valid}, tanh]",
        "activation is linear in the file, tanh in the spec",
    ),
    "epsilon": (
        "BatchNormalization(epsilon=1e-5)",
        "[batch_norm]",
        "epsilon is 1e-05 in the file, 0.001 in the spec",
    ),
    "another axis": ("BatchNormalization(axis=1)", "[batch_norm]", "axis is"),
    "an offset without a factor": (
        "BatchNormalization(scale=False)",
        "[batch_norm: {center: false}]",
        "scale is False in the file, True in the spec; center is True in the file, False in the spec",
    ),
    "strides": (
        "Conv2D(4, 3, strides=2)",
        "[conv: {filters: 4, kernel: 3, padding: valid}]",
        r"strides is \[2, 2\] in the file, 1 in the spec",
    ),
    "dilation": (
        "Conv2D(4, 3, dilation_rate=2)",
        "[conv: {filters: 4, kernel: 3, padding: valid}]",
        "dilation_rate is",
    ),
}


@pytest.mark.fast(4)
@pytest.mark.parametrize("form", ["functional", "sequential"])
@pytest.mark.parametrize("case", PAIRS)
def test_what_a_layer_computes(case, form, tmp_path):
    import keras

    layers, body, said = PAIRS[case]
    made = [eval(f"keras.layers.{layer}", {"keras": keras}) for layer in layers.split("+")]
    shape = (6, 6, 6) if "axis" in layers else (6, 5, 2)
    start = keras.Input(shape)
    model = keras.Sequential([start, *made])
    if form == "functional":
        x = start
        for layer in made:
            x = layer(x)
        model = keras.Model(start, x)
    model.save(tmp_path / "w.keras")
    graph = spec(tmp_path, f"{{x: {list(shape)}}}", body)
    if said:
        with pytest.raises(WeightsError, match=said):
            imported(tmp_path / "w.keras", graph)
        return
    ours = archspec.compile(graph)
    assign(ours, imported(tmp_path / "w.keras", graph).values)
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    np.testing.assert_allclose(np.asarray(ours(x)), np.asarray(model(x)), atol=1e-5)


@pytest.mark.slow
def test_reading_backwards(tmp_path):
    """Keras gives the outputs in the order of reading, the spec in that of the steps."""
    import keras

    start = keras.Input((5, 3))
    keras.Model(start, keras.layers.LSTM(4, return_sequences=True, go_backwards=True, name="l")(start)).save(
        tmp_path / "w.keras"
    )
    for reverse in ("true", "false"):
        graph = spec(tmp_path, "{x: [5, 3]}", f"[lstm: {{units: 4, sequences: true, reverse: {reverse}}}]")
        with refuses(WeightsError):
            imported(tmp_path / "w.keras", graph)


def test_what_pytorchs_files_do_not_say(tmp_path):
    roles = ("weight", "bias", "running_mean", "running_var")
    np.savez(tmp_path / "w.npz", **{f"bn.{role}": np.ones(3, "float32") for role in roles})
    found = imported(tmp_path / "w.npz", spec(tmp_path, "{x: [4, 4, 3]}", "[batch_norm]"))
    assert found.notes[0].endswith(
        "net.yaml:4:8: the file does not say epsilon; batch_norm has 0.001, the default of PyTorch and Caffe is 1e-05"
    )
    right = spec(tmp_path, "{x: [4, 4, 3]}", "[batch_norm: {epsilon: 1.0e-5}]")
    assert imported(tmp_path / "w.npz", right).notes == (NOT_COMPARED,)


def test_gates_that_pytorch_has_not(tmp_path):
    shapes = {"weight_ih": (16, 3), "weight_hh": (16, 4), "bias_ih": (16,), "bias_hh": (16,)}
    np.savez(tmp_path / "w.npz", **{f"l.{role}_l0": np.ones(shape, "float32") for role, shape in shapes.items()})
    with refuses(WeightsError):
        imported(tmp_path / "w.npz", spec(tmp_path, "{x: [5, 3]}", "[lstm: {units: 4, gate_activation: hard_sigmoid}]"))


def test_what_archspec_wrote_is_read(tmp_path):
    graph = spec(tmp_path, "{x: [8, 8, 3]}", "[conv: {filters: 4, kernel: 3}, max_pool: 2, flatten, dense: 2]")
    archspec.compile(graph).save(tmp_path / "own.keras")
    assert imported(tmp_path / "own.keras", graph).notes == ()
