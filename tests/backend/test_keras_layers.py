"""Layers of Keras's own in specs, on the way through the compiler: refusals at the step, weights by name, files."""

import numpy as np
import pytest

import archspec
from archspec.backend.layouts import refuse_gates
from archspec.backend.weights import assign, read
from archspec.backend.wiring import WeightsError
from archspec.ir.diagnostics import SpecError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

NET = """
archspec: 1
name: net
inputs: {words: [6, 4]}
body:
  - keras: {layer: EinsumDense, equation: "abc,cde->abde", output_shape: [null, 2, 3], bias_axes: de}
  - {reshape: [6, 6]}
  - {keras: {layer: GRU, units: 5, return_sequences: true}, as: heard}
  - keras: {layer: LayerNormalization}
heads:
  main: {body: [global_avg_pool, keras: {layer: Dense, units: 3, activation: softmax}], loss: categorical_crossentropy}
"""


@pytest.mark.parametrize(
    ("step", "shape"),
    [
        ("keras: {layer: Dropout, rate: 1.5}", "[8, 4]"),
        ("keras: {layer: MelSpectrogram, shape: [128, 3]}", "[2048]"),
    ],
    ids=["what Keras refuses", "another shape than the step states"],
)
def test_what_keras_says_against_a_layer_is_told_at_the_step(step, shape):
    graph = archspec.loads(f"archspec: 1\nname: net\ninputs: {{x: {shape}}}\nbody:\n  - {step}\n")
    with refuses(SpecError):
        archspec.compile(graph)


def test_arguments_that_are_called_as_those_of_ops_are_none_of_theirs():
    body = "  - {embedding: {vocab: 9, dim: 4}}\n  - k_max_pool: 2\n  - keras: {layer: GRU, units: 5}\n"
    refuse_gates(archspec.loads(f"archspec: 1\nname: net\ninputs: {{x: {{shape: [6], dtype: int32}}}}\nbody:\n{body}"))


def test_values_and_the_file_are_those_of_the_layers_in_keras(tmp_path):
    import keras

    graph = archspec.loads(NET)
    model = archspec.compile(graph, optimizer="sgd")
    x = keras.Input((6, 4))
    y = keras.layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", name="keras")(x)
    y = keras.layers.Reshape((6, 6))(y)
    y = keras.layers.GRU(5, return_sequences=True, name="heard")(y)
    y = keras.layers.GlobalAveragePooling1D()(keras.layers.LayerNormalization(name="keras_3")(y))
    twin = keras.Model(x, keras.layers.Dense(3, activation="softmax", name="main.keras")(y))
    rng = np.random.default_rng(0)
    twin.set_weights([rng.normal(size=w.shape).astype("float32") for w in twin.weights])
    twin.save(tmp_path / "twin.keras")

    values, _ = read(tmp_path / "twin.keras", graph)
    assign(model, values)
    x = rng.normal(size=(3, 6, 4)).astype("float32")
    np.testing.assert_allclose(np.asarray(model(x)), np.asarray(twin(x)), atol=1e-6)
    model.save(tmp_path / "net.keras")
    again = keras.saving.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_arguments_of_the_file_are_compared_with_the_step_s(tmp_path):
    import keras

    x = keras.Input((6, 4))
    y = keras.layers.GRU(5, go_backwards=True, activation="relu", name="keras")(x)
    keras.Model(x, keras.layers.ZeroPadding1D(1)(keras.layers.RepeatVector(3)(y))).save(tmp_path / "file.keras")
    graph = archspec.loads(
        "archspec: 1\nname: net\ninputs: {x: [6, 4]}\nbody:\n"
        "  - keras: {layer: GRU, units: 5, activation: sigmoid}\n  - repeat_vector: 3\n  - {pad: 1}\n"
    )
    with refuses(WeightsError):
        read(tmp_path / "file.keras", graph)
