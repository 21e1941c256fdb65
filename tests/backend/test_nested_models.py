"""Keras models that hold models are imported, and inputs and outputs go by name: outputs are those of Keras."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.backend.weights import assign, imported, transfer
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

SUFFIXES = (".keras", ".h5", ".weights.h5")
TOWER = "[conv: {filters: 4, kernel: 3}, batch_norm: {epsilon: 0.001}, relu, residual: [conv: {filters: 4, kernel: 3}]]"
FINE_TUNED = f"""
archspec: 1
name: net
inputs: {{image: [10, 10, 3]}}
body: [scale: {{factor: 0.5, offset: -1}}, do: {TOWER}, global_avg_pool, dropout: 0.2, dense: 5]
"""
TWINS = f"""
archspec: 1
name: net
inputs: {{a: [10, 10, 3], b: [10, 10, 3]}}
networks: {{tower: {{body: {TOWER}}}}}
body:
  - {{tower, from: a, as: x}}
  - {{tower, from: b, as: y}}
  - subtract: [x, y]
  - global_avg_pool
  - dense: 5
"""


@pytest.fixture
def layers():
    keras = pytest.importorskip("keras")
    keras.utils.clear_session()
    return keras.layers


def tower(layers):
    """A functional model of several layers with weights, one of them twice in what it gives."""
    import keras

    x = keras.Input((10, 10, 3), name="pixels")
    y = layers.Conv2D(4, 3, padding="same", name="first")(x)
    y = layers.ReLU()(layers.BatchNormalization(name="norm")(y))
    return keras.Model(x, layers.Add()([y, layers.Conv2D(4, 3, padding="same", name="second")(y)]), name="base_1.00")


def fine_tuned(layers):
    """The usual network of transfer learning: changes of images, a base, a head."""
    import keras

    x = keras.Input((10, 10, 3), name="picture")
    y = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)], name="augment")(x)
    y = tower(layers)(layers.Rescaling(0.5, -1)(y), training=False)
    return keras.Model(x, layers.Dense(5, name="head")(layers.Dropout(0.2)(layers.GlobalAveragePooling2D()(y))))


def in_a_chain(layers):
    """The same as a sequential model of a sequential model."""
    import keras

    inner = keras.Sequential([layers.Rescaling(0.5, -1), tower(layers)], name="inner")
    head = [layers.GlobalAveragePooling2D(), layers.Dropout(0.2), layers.Dense(5, name="head")]
    return keras.Sequential([keras.Input((10, 10, 3)), inner, *head])


def twins(layers):
    """One model, called twice."""
    import keras

    a, b = keras.Input((10, 10, 3), name="a"), keras.Input((10, 10, 3), name="b")
    base = tower(layers)
    y = layers.GlobalAveragePooling2D()(layers.Subtract()([base(a), base(b)]))
    return keras.Model([b, a], layers.Dense(5, name="head")(y))


def filled(model):
    """A model with weights of its own."""
    draw = np.random.default_rng(3)
    model.set_weights([draw.uniform(0.2, 1.0, w.shape).astype("float32") for w in model.get_weights()])
    return model


def images(count):
    return [np.random.default_rng(k).standard_normal((2, 10, 10, 3)).astype("float32") for k in range(count)]


def saved(model, path):
    (model.save_weights if path.name.endswith(".weights.h5") else model.save)(path)
    return path


def loaded(text, tmp_path):
    (tmp_path / "net.yaml").write_text(text)
    return archspec.load(tmp_path / "net.yaml")


@pytest.mark.fast(1)
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("made", [fine_tuned, in_a_chain])
def test_the_layers_of_a_model_within_a_model(made, suffix, tmp_path, layers):
    model, graph = filled(made(layers)), loaded(FINE_TUNED, tmp_path)
    (image,) = images(1)
    found = imported(saved(model, tmp_path / f"net{suffix}"), graph)
    ours = archspec.compile(graph)
    assign(ours, found.values)
    np.testing.assert_allclose(ours(image), model(image), rtol=1e-5, atol=1e-5)
    assert found.names["conv"].endswith("base_1.00.first") and found.names["dense"] == "head"


def test_a_model_in_memory(tmp_path, layers):
    model, graph = filled(in_a_chain(layers)), loaded(FINE_TUNED, tmp_path)
    (image,) = images(1)
    ours = archspec.compile(graph)
    transfer(model, graph, ours)
    np.testing.assert_allclose(ours(image), model(image), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_model_that_is_called_twice(suffix, tmp_path, layers):
    """The file has its inputs in another order than the spec: they go by name."""
    model, graph = filled(twins(layers)), loaded(TWINS, tmp_path)
    a, b = images(2)
    found = imported(saved(model, tmp_path / f"net{suffix}"), graph)
    ours = archspec.compile(graph)
    assign(ours, found.values)
    np.testing.assert_allclose(ours({"a": a, "b": b}), model([b, a]), rtol=1e-5, atol=1e-5)
    assert not found.notes


def test_a_model_that_is_called_in_another_order_is_refused(tmp_path, layers):
    path = saved(filled(twins(layers)), tmp_path / "net.keras")
    with refuses(WeightsError):
        imported(path, loaded(TWINS.replace("[x, y]", "[y, x]"), tmp_path))


def test_calls_that_double_with_every_model_end(layers, monkeypatch):
    """Each of thirty models calls the one before twice: a file of some kilobytes, a billion calls."""
    import keras

    from archspec.backend.importers import keras_calls

    monkeypatch.setattr(keras_calls, "MAX_CALLS", 500)
    x = keras.Input((2,), name="x")
    config = keras.Model(x, layers.Dense(2, name="d")(x), name="m").get_config()
    for k in range(30):
        call = {
            "args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}],
            "kwargs": {},
        }
        again = {
            "args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["m", 0, 0]}}],
            "kwargs": {},
        }
        inner = {"class_name": "Functional", "name": "m", "config": config, "inbound_nodes": [call, again]}
        given = {**config["layers"][0]}
        config = {
            "name": f"m{k}",
            "layers": [given, inner],
            "input_layers": ["x", 0, 0],
            "output_layers": ["m", 1, 0],
        }
    with refuses(WeightsError):
        keras_calls.of_model(config, "3")


TWO_WAYS = """
archspec: 1
name: net
inputs: {left: [3], right: [3]}
body: [{dense: 4, from: left, as: l}, {dense: 4, from: right, as: r}]
heads: {one: {from: l, body: [dense: 2]}, other: {from: r, body: [dense: 2]}}
"""


def two_ways(layers, names, outputs):
    """Two networks side by side, with nothing but names to tell them apart."""
    import keras

    right, left = (keras.Input((3,), name=name) for name in names)
    made = {
        "other": layers.Dense(2, name=outputs[0])(layers.Dense(4)(right)),
        "one": layers.Dense(2, name=outputs[1])(layers.Dense(4)(left)),
    }
    return filled(keras.Model([right, left], list(made.values())))


def test_inputs_and_outputs_go_by_name_before_order(tmp_path, layers):
    graph = loaded(TWO_WAYS, tmp_path)
    x, y = (image[:, 0, 0] for image in images(2))
    ours = archspec.compile(graph)
    model = two_ways(layers, ("right", "left"), ("other", "one"))
    found = imported(saved(model, tmp_path / "named.keras"), graph)
    assign(ours, found.values)
    said = ours({"left": x, "right": y})
    np.testing.assert_allclose(said["one"], model([y, x])[1], rtol=1e-5)
    np.testing.assert_allclose(said["other"], model([y, x])[0], rtol=1e-5)
    assert not found.notes

    model = two_ways(layers, ("p", "q"), ("s", "t"))
    found = imported(saved(model, tmp_path / "unnamed.keras"), graph)
    assert found.notes == (
        "inputs that have no names in common were taken in their order: p is left, q is right",
        "outputs that have no names in common were taken in their order: s is one, t is other",
    )


def test_inputs_that_neither_names_nor_order_tell_are_refused(tmp_path, layers):
    import keras

    a, b = keras.Input((5,), name="a"), keras.Input((3,), name="b")
    keras.Model([a, b], layers.Concatenate()([layers.Dense(2)(a), b])).save(tmp_path / "net.keras")
    graph = loaded(
        "archspec: 1\nname: net\ninputs: {x: [3], y: [5]}\nbody: [{dense: 2, from: y}, concat: [prev, x]]\n", tmp_path
    )
    with refuses(WeightsError):
        imported(tmp_path / "net.keras", graph)


@pytest.mark.slow
def test_results_of_a_model_that_gives_a_dict(tmp_path, layers):
    """Keras numbers them by their names, whichever was written first."""
    import keras

    x = keras.Input((4,), name="given")
    y = layers.Dense(4, name="both")(x)
    inner = keras.Model(x, {"b": layers.Dense(3, name="two")(y), "a": layers.Dense(3, name="one")(y)}, name="inner")
    z = keras.Input((4,), name="x")
    said = inner(z)
    model = filled(keras.Model(z, layers.Subtract()([said["a"], said["b"]])))
    graph = loaded(
        "archspec: 1\nname: net\ninputs: {x: [4]}\n"
        "body: [{dense: 4, as: h}, {dense: 3, from: h, as: a}, {dense: 3, from: h, as: b}, subtract: [a, b]]\n",
        tmp_path,
    )
    found = imported(saved(model, tmp_path / "net.keras"), graph)
    assert found.names == {"h": "inner.both", "a": "inner.one", "b": "inner.two"}


@pytest.mark.slow
def test_a_model_that_ends_in_a_model_called_twice(tmp_path, layers):
    import keras

    x = keras.Input((4,), name="given")
    inner = keras.Model(x, layers.Dense(4, name="two")(layers.Dense(4, name="one")(x)), name="inner")
    z = keras.Input((4,), name="x")
    model = filled(keras.Model(z, inner(inner(z))))
    body = "networks: {inner: {body: [dense: 4, dense: 4]}}\nbody: [{inner: , as: a}, {inner: , from: a}]\n"
    graph = loaded(f"archspec: 1\nname: net\ninputs: {{x: [4]}}\n{body}", tmp_path)
    found = imported(saved(model, tmp_path / "net.keras"), graph)
    assert list(found.names.values()) == ["inner.one", "inner.two"]
