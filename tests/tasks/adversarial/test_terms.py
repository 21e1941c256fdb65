"""Terms of a training step, of results, ports and members of families, with the arguments of their losses: each has the
value of Keras's own loss."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from archspec.ops.loss import Loss
from tests.tasks.adversarial import specs

pytestmark = pytest.mark.tensorflow

SPEC = """
archspec: 1
name: terms
params: {smooth: 0.2}
networks:
  G:
    inputs: {x: [5]}
    body:
      - {dense: 3, as: scores}
      - {softmax, as: shares}
      - {sigmoid, from: scores, as: yes_}
      - do: [{dense: {units: 3, activation: softplus}, as: rates}]
        repeat: {i: [4, 7]}
train:
  inputs: {x: [5], y: [3], share: [3], label: {label: 3}}
  body: [{G, from: x, as: made}]
  steps:
    - update: [G]
      minimize:
        - {mse: [made.scores, y], weight: 3}
        - {mae: [made.scores, made.shares]}
        - {huber: [made.scores, y], delta: 0.3}
        - {log_cosh: [made.scores, y]}
        - {cosine_similarity: [made.scores, y]}
        - {poisson: ["made.rates[4]", share]}
        - {mape: ["made.rates[7]", y], weight: 0.1}
        - {msle: ["made.rates[7]", share]}
        - {kl_divergence: [made.shares, share]}
        - {dice: [made.yes_, share]}
        - {tversky: [made.yes_, share], alpha: 0.3, beta: 0.7}
        - {categorical_crossentropy: [made.shares, share], label_smoothing: =smooth}
        - {categorical_crossentropy: [made.scores, share]}
        - {sparse_categorical_crossentropy: [made.scores, label]}
        - {binary_crossentropy: [made.yes_, share], label_smoothing: 0.1}
        - {focal: [made.scores, share], gamma: 1.5, alpha: null}
"""
K = keras.losses
KERAS = {
    "mse.made.scores": (K.MeanSquaredError(), "y"),
    "huber.made.scores": (K.Huber(0.3), "y"),
    "log_cosh.made.scores": (K.LogCosh(), "y"),
    "cosine_similarity.made.scores": (K.CosineSimilarity(), "y"),
    "poisson.made.rates[4]": (K.Poisson(), "share"),
    "mape.made.rates[7]": (K.MeanAbsolutePercentageError(), "y"),
    "msle.made.rates[7]": (K.MeanSquaredLogarithmicError(), "share"),
    "kl_divergence.made.shares": (K.KLDivergence(), "share"),
    "dice.made.yes_": (K.Dice(), "share"),
    # Keras 3.15 has alpha for what is missed.
    "tversky.made.yes_": (K.Tversky(alpha=0.7, beta=0.3), "share"),
    "categorical_crossentropy.made.shares": (K.CategoricalCrossentropy(label_smoothing=0.2), "share"),
    "categorical_crossentropy.made.scores": (K.CategoricalCrossentropy(from_logits=True), "share"),
    "sparse_categorical_crossentropy.made.scores": (K.SparseCategoricalCrossentropy(from_logits=True), "label"),
    "binary_crossentropy.made.yes_": (K.BinaryCrossentropy(label_smoothing=0.1), "share"),
    "focal.made.scores": (K.BinaryFocalCrossentropy(gamma=1.5, from_logits=True), "share"),
}


def test_terms_are_kerass_losses_of_what_they_name(tmp_path):
    from archspec.ir.graph import Tensor
    from archspec.training.updates.alternating_updates import AlternatingUpdates

    model = AlternatingUpdates(specs.graph(tmp_path, SPEC))
    model.compile("sgd")
    rng = np.random.default_rng(1)
    share = rng.uniform(0.1, 1, (8, 3))
    batch = {
        "x": rng.normal(size=(8, 5)).astype("float32"),
        "y": rng.normal(size=(8, 3)).astype("float32"),
        "share": (share / share.sum(1, keepdims=True)).astype("float32"),
        "label": rng.integers(0, 3, 8).astype("int32"),
    }
    found = model.evaluate(batch, batch["x"], batch_size=8, verbose=0, return_dict=True)
    inputs = {Tensor(name): value for name, value in batch.items()}
    assert set(found) == {"loss", "G.loss", "G.mae.made.scores", *(f"G.{name}" for name in KERAS)}
    for name, (loss, target) in KERAS.items():
        (result,) = model.results(inputs, [name.partition(".")[2]])
        assert found[f"G.{name}"] == pytest.approx(float(loss(batch[target], result)), rel=1e-4), name
    scores, shares = model.results(inputs, ["made.scores", "made.shares"])
    assert found["G.mae.made.scores"] == pytest.approx(np.abs(scores - shares).mean(), rel=1e-4)
    weights = {"mse.made.scores": 3, "mape.made.rates[7]": 0.1}
    total = sum(found[f"G.{name}"] * weights.get(name, 1) for name in KERAS) + found["G.mae.made.scores"]
    assert found["loss"] == pytest.approx(total, rel=1e-4)


def test_every_loss_of_keras_is_a_loss_or_answered_by_one():
    from archspec.ir import aliases

    kinds = [name for name, kind in vars(K).items() if isinstance(kind, type) and kind is not K.Loss]
    assert len(kinds) > 20
    assert [name for name in kinds if Loss.find(aliases.same("loss", name, Loss.names()) or "") is None] == []
