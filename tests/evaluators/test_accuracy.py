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
    np.testing.assert_allclose(found.f1, metrics.f1_score(LABELS, said, average=None))


def test_the_worst_are_those_whose_class_was_given_least():
    found = assess(SHARES, LABELS, NAMES)
    worst, own = found.worst(5), SHARES[np.arange(200), LABELS]
    assert [one.row for one in worst] == np.argsort(own)[:5].tolist()
    (row, error, told) = worst[0]
    assert error == pytest.approx(-np.log(own.min())) and told.endswith(f"is c{LABELS[row]} {own.min():.2f}")


def test_averages_are_scikit_learns():
    from sklearn import metrics

    # Of equal scores and of classes that are never said, too.
    shares, labels = np.round(SHARES, 1), np.where(LABELS == 7, 0, LABELS)
    shares[:, 6] = 0
    found = assess(shares, labels, NAMES)
    said = shares.argmax(-1)
    for name in ("precision", "recall", "f1"):
        of = getattr(metrics, f"{name}_score")
        assert found.figures[f"macro_{name}"] == pytest.approx(of(labels, said, average="macro", zero_division=0))
    assert found.figures["micro_f1"] == pytest.approx(metrics.f1_score(labels, said, average="micro"))
    right = labels[:, None] == np.arange(8)
    areas = [metrics.roc_auc_score(right[:, i], shares[:, i]) for i in range(7)]
    np.testing.assert_allclose(found.auc[:7], areas)
    assert found.auc[7] is None, "a class without examples has no curve"
    assert found.figures["macro_auc"] == pytest.approx(np.mean(areas))
    assert found.figures["micro_auc"] == pytest.approx(metrics.roc_auc_score(right.ravel(), shares.ravel()))
    lines = [line.split() for line in found.text().splitlines()]
    wanted = [f"{found.figures[f'macro_{name}']:.4f}" for name in ("recall", "precision", "f1", "auc")]
    assert ["macro", "average", "200", *wanted] in lines
    assert ["micro", "average", "200", *[f"{found.top_1:.4f}"] * 3, f"{found.figures['micro_auc']:.4f}"] in lines


def test_a_class_that_neither_occurs_nor_is_said_is_in_no_average():
    from sklearn import metrics

    shares, labels = SHARES.copy(), np.where(LABELS == 7, 0, LABELS)
    shares[:, 7] = 0
    found, said = assess(shares, labels, NAMES), shares.argmax(-1)
    for name in ("precision", "recall", "f1"):
        wanted = getattr(metrics, f"{name}_score")(labels, said, average="macro")
        assert found.figures[f"macro_{name}"] == pytest.approx(wanted)


def test_an_area_of_two_classes_is_one_number():
    """Of two classes both have the same area, that of the binary decision."""
    from sklearn import metrics

    draw = np.random.default_rng(1)
    score, labels = draw.random(50).round(1), draw.integers(0, 2, 50)
    found = assess(np.stack([1 - score, score], 1), labels, ["no", "yes"])
    np.testing.assert_allclose(found.auc, metrics.roc_auc_score(labels, score))


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
    assert ["c", "0", "-", "-", "-", "-"] in [line.split() for line in found.text().splitlines()]
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


def test_names_of_classes_drive_no_terminal():
    """A folder may have a line break or an escape sequence in its name, which is escaped, as data check does."""
    found = assess(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]), ["cat", "o\nwl\x1b[2J"])
    assert "\x1b" not in found.text() and "o\\x0awl\\x1b[2J" in found.text()
    assert len(found.text().splitlines()) == 15
    assert found.record()["classes"] == ("cat", "o\nwl\x1b[2J")
