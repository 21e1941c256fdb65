"""Terms of which some entries count: each has the value that NumPy gives by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tasks.adversarial import specs

pytestmark = pytest.mark.tensorflow

SPEC = """
archspec: 1
name: counted
networks:
  G:
    inputs: {x: [4, 3]}
    body:
      - {dense: 3, as: scores}
      - {dense: 1, from: scores, as: found}
      - {softmax, from: scores, as: shares}
train:
  inputs:
    x: [4, 3]
    y: [4, 3]
    chosen: {shape: [4], dtype: bool}
    each: {shape: [4, 3], dtype: bool}
    counted: {shape: [4], dtype: bool}
    weights: [4]
    classes: {shape: [4], dtype: int32}
    example: {shape: [], dtype: bool}
  body:
    - {G, from: x, as: made}
    - {roll: 0, from: classes, as: owner}
  steps:
    - update: [G]
      minimize:
        - {mse: [made.scores, y], where: chosen}
        - {mse: [made.scores, y], where: each}
        - {mse: [made.scores, y], where: example}
        - {mae: [made.scores, y], where: weights}
        - {smooth_l1: [made.scores, y], beta: 0.25, where: chosen, per: chosen}
        - {mae: [made.scores, y], where: chosen, per: counted, weight: 3}
        - {mae: [made.scores, y], per: examples}
        - {focal: [made.scores, owner], where: counted, per: chosen}
        - {binary_crossentropy: [made.found, chosen], where: counted, per: counted}
        - {categorical_crossentropy: [made.scores, owner], where: chosen, per: examples}
        - {sparse_categorical_crossentropy: [made.shares, classes], where: chosen}
        - {categorical_crossentropy: [made.shares, classes], where: counted}
        - {binary_crossentropy: [made.found, chosen]}
"""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.slow
def test_entries_that_count_by_hand(tmp_path):
    from archspec.ir.graph import Tensor
    from archspec.training.updates.alternating_updates import AlternatingUpdates

    model = AlternatingUpdates(specs.graph(tmp_path, SPEC))
    model.compile("sgd")
    rng = np.random.default_rng(1)
    batch = {
        "x": rng.normal(size=(5, 4, 3)).astype("float32"),
        "y": rng.normal(size=(5, 4, 3)).astype("float32"),
        "chosen": rng.random((5, 4)) < 0.4,
        "each": rng.random((5, 4, 3)) < 0.4,
        "counted": rng.random((5, 4)) < 0.7,
        "weights": rng.random((5, 4)).astype("float32"),
        "classes": rng.integers(-1, 3, (5, 4)).astype("int32"),
        "example": np.array([True, False, True, True, False]),
    }
    y, chosen, each, counted, classes = (batch[name] for name in ("y", "chosen", "each", "counted", "classes"))
    batch["classes"] = classes = np.where(chosen, np.maximum(classes, 0), classes)
    scores, found = (
        np.float64(v) for v in model.results({Tensor(n): v for n, v in batch.items()}, ["made.scores", "made.found"])
    )
    d = np.abs(scores - y)
    hot = np.eye(3)[classes] * (classes >= 0)[..., None]
    p = sigmoid(scores) * hot + (1 - sigmoid(scores)) * (1 - hot)
    focal = (0.25 * hot + 0.75 * (1 - hot)) * (1 - p) ** 2 * -np.log(p)
    yes = -np.log(np.where(chosen, sigmoid(found[..., 0]), 1 - sigmoid(found[..., 0])))
    log_shares = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    own = -np.take_along_axis(log_shares, np.maximum(classes, 0)[..., None], -1)[..., 0]
    smooth = np.where(d < 0.25, d**2 / 0.5, d - 0.125)
    expected = {
        "mse.made.scores": (d**2)[chosen].mean(),
        "mse.made.scores_2": (d**2)[each].mean(),
        "mse.made.scores_3": (d**2)[batch["example"]].mean(),
        "mae.made.scores": (d * batch["weights"][..., None]).sum() / (3 * batch["weights"].sum()),
        "smooth_l1.made.scores": smooth[chosen].sum() / chosen.sum(),
        "mae.made.scores_2": d[chosen].sum() / counted.sum(),
        "mae.made.scores_3": d.sum() / 5,
        "focal.made.scores": focal[counted].sum() / chosen.sum(),
        "binary_crossentropy.made.found": yes[counted].sum() / counted.sum(),
        "categorical_crossentropy.made.scores": own[chosen].sum() / 5,
        "sparse_categorical_crossentropy.made.shares": own[chosen].mean(),
        "categorical_crossentropy.made.shares": (own * (classes >= 0))[counted].mean(),
        "binary_crossentropy.made.found_2": yes.mean(),
    }
    told = model.evaluate(batch, batch["x"], batch_size=5, verbose=0, return_dict=True)
    for name, value in expected.items():
        assert told[f"G.{name}"] == pytest.approx(value, rel=1e-4), name
    assert told["loss"] == pytest.approx(sum(expected.values()) + 2 * expected["mae.made.scores_2"], rel=1e-4)


def test_what_does_not_count_may_be_no_number_and_nothing_may_count(tmp_path):
    from archspec.training.updates.alternating_updates import AlternatingUpdates

    text = SPEC.partition("        - {mse: [made.scores, y], where: each}")[0]
    text += "        - {smooth_l1: [made.scores, y], where: chosen, per: chosen}\n"
    model = AlternatingUpdates(specs.graph(tmp_path, text))
    model.compile("sgd")
    rng = np.random.default_rng(2)
    batch = {
        "x": rng.normal(size=(4, 4, 3)).astype("float32"),
        "y": np.full((4, 4, 3), np.nan, "float32"),
        "chosen": np.zeros((4, 4), bool),
        "each": np.zeros((4, 4, 3), bool),
        "counted": np.zeros((4, 4), bool),
        "weights": np.zeros((4, 4), "float32"),
        "classes": np.zeros((4, 4), "int32"),
        "example": np.zeros(4, bool),
    }
    before = [np.array(v) for v in model.networks.get_weights()]
    told = model.train_on_batch(batch, batch["x"], return_dict=True)
    assert told["loss"] == 0
    assert all(np.array_equal(a, b) for a, b in zip(before, model.networks.get_weights(), strict=True))
    batch["chosen"][1, 2] = True
    batch["y"][1, 2] = 0.5
    told = model.train_on_batch(batch, batch["x"], return_dict=True)
    assert np.isfinite(told["loss"])
    assert np.isfinite(np.concatenate([w.ravel() for w in model.networks.get_weights()])).all()
