"""Layers of Keras's own in specs, on the way through the compiler: refusals at the step, weights by name, files."""

import numpy as np
import pytest

import archspec
from archspec.backend.weights import assign, read
from archspec.ir.diagnostics import SpecError

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


def refused(step, shape="[8, 4]"):
    graph = archspec.loads(f"archspec: 1\nname: net\ninputs: {{x: {shape}}}\nbody:\n  - {step}\n")
    with pytest.raises(SpecError) as error:
        archspec.compile(graph)
    (told,) = error.value.diagnostics
    assert (told.code, told.span.line, told.span.column) == ("K01", 5, 5)
    return told


def test_what_keras_refuses_is_told_at_the_step():
    told = refused("keras: {layer: Dropout, rate: 1.5}")
    assert told.message.startswith("Keras does not make Dropout: ")
    assert "rate=1.5" in told.message


def test_another_shape_than_the_step_states_is_refused():
    told = refused("keras: {layer: MelSpectrogram, shape: [128, 3]}", "[2048]")
    assert told.message == "Keras's MelSpectrogram of (2048,) gives (128, 5), the spec has (128, 3)"
    assert told.help == "shape: [128, 5]"


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
