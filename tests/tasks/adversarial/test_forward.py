"""Layers of a network that is called twice in a round, one of them with constants that it makes itself."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tasks.adversarial import specs

pytestmark = pytest.mark.tensorflow
NORMALIZED = """
archspec: 1
name: normalized
networks:
  G: {inputs: {x: [3]}, body: [dense: 3]}
  V: {inputs: {x: [3]}, body: [normalize: {mean: [1, 2, 3], std: [1, 2, 4]}, dense: {units: 2, bias: false}]}
train:
  inputs: {a: [3]}
  body:
    - {G, from: a, as: fake}
    - {V, from: fake, as: fake_features}
    - {V, from: a, as: features}
  steps:
    - {update: [G], minimize: [{mse: [fake_features, features]}]}
    - {update: [G], minimize: [{mse: [fake_features, 0]}]}
"""


def test_constants_of_a_layer_serve_every_step(tmp_path):
    from archspec.training.updates.alternating_updates import AlternatingUpdates

    model = AlternatingUpdates(specs.graph(tmp_path, NORMALIZED))
    model.compile("adam")
    a = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
    model.fit(a, batch_size=4, epochs=2, verbose=0)
    kernel = model.networks.get_layer("V.dense").get_weights()[0]
    weight, bias = model.networks.get_layer("G.dense").get_weights()
    features = (a @ weight + bias - np.array([1, 2, 3])) / np.array([1, 2, 4]) @ kernel
    found = model.evaluate(a, batch_size=8, verbose=0, return_dict=True)
    assert found["G_2.mse.fake_features"] == pytest.approx(np.mean(features**2), rel=1e-4)
