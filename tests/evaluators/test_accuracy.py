"""Figures of a classifier against scikit-learn and answers that are known; probabilities out of scores."""

import numpy as np
import pytest

from archspec.evaluators.accuracy import assess
from archspec.evaluators.calibration import calibration_error
from archspec.ops.base import Op
from archspec.training.probabilities import probabilities

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(0)
SCORES = RNG.normal(0, 2, (200, 8))
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
LABELS = RNG.integers(0, 8, 200)
NAMES = [f"c{i}" for i in range(8)]


def test_figures_are_scikit_learns():
    from sklearn import metrics

    found, said = assess(SHARES, LABELS, NAMES), SHARES.argmax(-1)
    assert found.top_1 == pytest.approx(metrics.accuracy_score(LABELS, said))
    assert found.top_5 == pytest.approx(metrics.top_k_accuracy_score(LABELS, SHARES, k=5))
    assert found.loss == pytest.approx(metrics.log_loss(LABELS, SHARES))
    assert np.array_equal(found.confusion, metrics.confusion_matrix(LABELS, said))
    np.testing.assert_allclose(found.recall, metrics.recall_score(LABELS, said, average=None))
    np.testing.assert_allclose(found.precision, metrics.precision_score(LABELS, said, average=None))


def test_calibration_of_known_cases():
    certain = np.full(100, 0.8)
    assert calibration_error(certain, np.arange(100) < 80) == pytest.approx(0)
    assert calibration_error(certain, np.arange(100) < 50) == pytest.approx(0.3)
    halves = np.repeat([0.6, 0.9], 50)
    assert calibration_error(halves, np.r_[np.arange(50) < 20, np.arange(50) < 45]) == pytest.approx(0.5 * 0.2)
    assert calibration_error(np.ones(10), np.ones(10, bool)) == 0


def test_a_class_that_does_not_occur_has_no_recall():
    found = assess(np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1]]), np.array([0, 1]), ["a", "b", "c"])
    assert found.recall == (1.0, 0.0, None)
    assert found.precision == (0.5, None, None)
    assert found.top_5 is None
    assert "c             0       -" in found.text()
    table, matrix = found.text().split("\n\n")[1:]
    assert table.splitlines()[2].endswith("a 1")
    assert [line.split() for line in matrix.splitlines()[1:]] == [
        ["a", "b", "c"],
        ["a", "1", "0", "0"],
        ["b", "1", "0", "0"],
        ["c", "0", "0", "0"],
    ]


def test_probabilities_of_scores():
    np.testing.assert_allclose(probabilities(SCORES, Op.find("softmax")()), SHARES)
    np.testing.assert_allclose(probabilities(SCORES, Op.find("sigmoid")()), 1 / (1 + np.exp(-SCORES)))
    assert probabilities(SHARES, None) is not None
    np.testing.assert_array_equal(probabilities(SHARES, None), SHARES)
    assert np.isfinite(probabilities(np.array([[1e4, -1e4]]), Op.find("softmax")())).all()
