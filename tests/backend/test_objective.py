"""``archspec.compile(graph, optimizer=…)``: losses, weights and metrics of the spec, held to Keras's own by hand."""

import keras
import numpy as np
import pytest

import archspec
from archspec.frontend import loads
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

ONE = """
archspec: 1
name: one
inputs: {x: [4]}
body: [dense: 3]
heads:
  main: {body: [softmax], loss: sparse_categorical_crossentropy, metrics: [accuracy, {top_k: 2}]}
"""
TWO = """
archspec: 1
name: two
inputs: {x: [4]}
body: [dense: 5, relu]
heads:
  kind: {body: [dense: 3], loss: sparse_categorical_crossentropy, weight: 2.0, metrics: [accuracy]}
  amount: {body: [dense: 1], loss: mse, weight: 0.5, metrics: [mae]}
  free: {body: [dense: 2]}
"""


def batch(seed=0):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(16, 4)).astype("float32"), draw.integers(0, 3, 16), draw.normal(size=(16, 1))


@pytest.mark.parametrize("form", [str, lambda name: {"class_name": name, "config": {}}])
def test_an_optimizer_that_keras_has_not(form):
    graph = archspec.load("lenet5")
    with refuses(ValueError):
        archspec.compile(graph, optimizer=form("Adamm"))


@pytest.mark.parametrize("said", [{"sgd": {"learning_rate": 0.1}}, {}])
def test_a_map_that_is_none_of_keras_is_told(said):
    with refuses(ValueError):
        archspec.compile(loads(ONE), optimizer=said)


def test_one_head_is_plain_and_steps_as_a_model_compiled_by_hand():
    graph = loads(ONE)
    model = archspec.compile(graph, optimizer="sgd")
    assert model.output_names == ["main"] and isinstance(model.optimizer, keras.optimizers.SGD)
    other = archspec.compile(graph)
    assert not other.compiled and other.output_names == ["main"]
    other.set_weights(model.get_weights())
    other.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=False))
    x, kind, _ = batch()
    said = model.train_on_batch(x, kind, return_dict=True)
    assert said["loss"] == pytest.approx(other.train_on_batch(x, kind), abs=1e-7)
    assert set(said) == {"loss", "accuracy", "top_2"}
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_several_heads_go_by_their_names():
    graph = loads(TWO)
    model = archspec.compile(graph, optimizer=keras.optimizers.Adam(0.01))
    x, kind, amount = batch()
    said = model.evaluate(x, {"kind": kind, "amount": amount, "free": np.zeros((16, 2))}, return_dict=True, verbose=0)
    found = {name: np.asarray(value) for name, value in model(x).items()}
    assert set(found) == set(model.output_names) == {"kind", "amount", "free"}
    shares = np.exp(found["kind"]) / np.exp(found["kind"]).sum(1, keepdims=True)
    entropy = -np.log(shares[np.arange(16), kind]).mean()
    square = ((found["amount"] - amount) ** 2).mean()
    assert said["loss"] == pytest.approx(2 * entropy + 0.5 * square, rel=1e-5)
    assert said["kind_accuracy"] == pytest.approx((found["kind"].argmax(1) == kind).mean())
    assert said["amount_mae"] == pytest.approx(abs(found["amount"] - amount).mean(), rel=1e-5)
    for name, tensor in zip(model.output_names, model.outputs, strict=True):
        assert tensor.shape == model.output[name].shape and tensor is model.output[name]


def test_a_network_without_a_loss_cannot_be_compiled_for_training():
    with refuses(ValueError):
        archspec.compile(loads("archspec: 1\nname: bare\ninputs: {x: [4]}\nbody: [dense: 3]\n"), optimizer="sgd")
