"""Optimisers: what a few steps do to weights, against Keras's own with the same arguments."""

import keras
import numpy as np
import pytest

from archspec.training.optimizers import Optimizer

pytestmark = pytest.mark.tensorflow

K = keras.optimizers
PAIRS = [
    ("sgd", {}, K.SGD(0.01)),
    ("sgd", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}, K.SGD(0.1, 0.9, True)),
    ("rmsprop", {"rho": 0.8, "momentum": 0.5, "centered": True}, K.RMSprop(0.001, 0.8, 0.5, centered=True)),
    ("adam", {"beta_1": 0.8, "amsgrad": True}, K.Adam(0.001, 0.8, amsgrad=True)),
    ("adamw", {"weight_decay": 0.05}, K.AdamW(0.001, 0.05)),
    ("lion", {"beta_2": 0.9}, K.Lion(0.001, beta_2=0.9)),
    ("adagrad", {"accumulator": 0.2}, K.Adagrad(0.001, 0.2)),
    ("adadelta", {"rho": 0.9}, K.Adadelta(0.001, 0.9)),
    ("lamb", {}, K.Lamb()),
    ("sgd", {"weight_decay": 0.1}, K.SGD(0.01, weight_decay=0.1)),
]


def moved(optimizer):
    rng = np.random.default_rng(0)
    weight = keras.Variable(rng.normal(size=(3, 4)).astype("float32"))
    optimizer.build([weight])
    for _ in range(4):
        optimizer.apply([keras.ops.convert_to_tensor(rng.normal(size=(3, 4)).astype("float32"))])
    return weight.numpy()


@pytest.mark.fast(4)
@pytest.mark.parametrize(("name", "args", "expected"), PAIRS, ids=lambda v: v if isinstance(v, str) else "")
def test_steps_equal_keras(name, args, expected):
    optimizer = Optimizer.find(name).model_validate(args)
    np.testing.assert_array_equal(moved(optimizer.lower(optimizer.learning_rate)), moved(expected))


def test_every_optimizer_is_compared():
    assert {name for name, *_ in PAIRS} == set(Optimizer.names())


def test_every_optimizer_has_the_arguments_that_all_have():
    """Members inherit the fields of their kind."""
    for kind in Optimizer.all():
        assert {"learning_rate", "weight_decay"} <= set(kind.model_fields), kind.name
