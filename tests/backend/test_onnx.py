"""ONNX files against the network, as onnxruntime computes them; what is not valid is refused."""

import numpy as np
import pytest

from archspec import compile, load
from archspec.backend.onnx import ExportError, write_onnx
from tests.wording import refuses

pytest.importorskip("tf2onnx")
pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

BODIES = {
    "convolutions": (
        "[8, 8, 3]",
        "[conv: {filters: 4, kernel: 3, padding: 1}, batch_norm, relu, max_pool: 2, flatten]",
    ),
    "groups": ("[8, 8, 4]", "[conv: {filters: 8, kernel: 3, groups: 2}, conv: {filters: 8, groups: 4, stride: 2}]"),
    "groups along time": ("[8, 4]", "[conv: {filters: 8, kernel: 3, groups: 2}]"),
    "groups of volumes": ("[6, 6, 6, 4]", "[conv: {filters: 8, kernel: 3, groups: 2}]"),
    "dilated": ("[8, 8, 3]", "[conv_transpose: {filters: 4, kernel: 3, stride: 1, dilation: 2}, relu]"),
    "recurrent": ("[7, 4]", "[lstm: {units: 5, sequences: true}, gru: 6]"),
    "separable": ("[8, 8, 3]", "[separable_conv: 6, depthwise_conv: {kernel: 3, stride: 2}, global_avg_pool]"),
}


GELU = """archspec: 1
name: gelu_net
inputs: {image: [17, 15, 3]}
body: [conv: {filters: 4, kernel: 3, activation: gelu}, flatten]
heads: {main: {body: [dense: {units: 3, activation: softmax}], loss: sparse_categorical_crossentropy}}
"""


@pytest.mark.processors
@pytest.mark.parametrize("activation", ["gelu", "{gelu: true}"])
def test_gelu_exact_or_not_says_what_the_network_says(activation, tmp_path):
    (tmp_path / "net.yaml").write_text(GELU.replace("activation: gelu", f"activation: {activation}"))
    model = compile(load(tmp_path / "net.yaml"))
    assert write_onnx(model, tmp_path / "net.onnx") < 1e-6
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(scale=3, size=(5, 17, 15, 3)).astype("float32")
    (found,) = session.run(["main"], {"image": x})
    np.testing.assert_allclose(found, model(x), atol=1e-6)
    assert {value.shape[0] for value in (*session.get_inputs(), *session.get_outputs())} == {"batch"}


@pytest.mark.processors
@pytest.mark.parametrize("name", BODIES)
def test_a_file_says_what_the_network_says(name, tmp_path):
    inputs, body = BODIES[name]
    (tmp_path / "net.yaml").write_text(f"archspec: 1\nname: net\ninputs: {{x: {inputs}}}\nbody: {body}\n")
    model = compile(load(tmp_path / "net.yaml"))
    assert write_onnx(model, tmp_path / "net.onnx") < 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    # Of another number of examples than it was compared with.
    x = np.random.default_rng(1).normal(size=(5, *model.input_shape[1:])).astype("float32")
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(found, model(x), atol=1e-4)


def test_a_file_that_no_program_can_open_is_refused_and_not_written(tmp_path):
    """Keras's own grouped convolution is a function within the graph, which tf2onnx leaves as it is."""
    import keras

    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, keras.layers.Conv2D(8, 3, groups=2)(inputs))
    (tmp_path / "net.onnx").write_text("the file before")
    with refuses(ExportError):
        write_onnx(model, tmp_path / "net.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]
    assert (tmp_path / "net.onnx").read_text() == "the file before"


def test_a_file_that_says_something_else_is_refused(tmp_path, monkeypatch):
    import keras

    inputs = keras.Input((4,))
    model, other = (keras.Model(inputs, keras.layers.Dense(3)(inputs)) for _ in range(2))
    other(inputs)
    monkeypatch.setattr(model, "export", other.export)
    with pytest.raises(ExportError, match=r"^the file's outputs are \S+ from the network's: nothing was written$"):
        write_onnx(model, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_rows_that_change_places_are_as_near_as_they_were():
    from archspec.backend.onnx import _rows_apart

    rows = np.random.default_rng(0).normal(size=(20, 6)).astype("float32")
    assert _rows_apart(rows, rows[::-1]) == 0
    changed = rows[::-1].copy()
    changed[3, 2] += 0.5
    assert _rows_apart(rows, changed) > 0.1
    # Each row is taken once.
    assert _rows_apart(np.repeat(rows[:1], 2, 0), rows[:2]) > 0.1
