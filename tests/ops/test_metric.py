"""Metrics against counts in NumPy, on labels and predictions of every kind that they take."""

import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import OpError
from archspec.ops.metric import Metric

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(1)
SCORES = RNG.normal(0.0, 2.0, (40, 4)).astype("float32")
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
YES = 1 / (1 + np.exp(-SCORES))
INDEX = RNG.integers(0, 4, 40).astype("int32")
ONE_HOT = np.eye(4, dtype="float32")[INDEX]
BITS = RNG.integers(0, 2, (40, 4)).astype("float32")
SPEC = TensorSpec((4,))


def precision(truth, said):
    return (truth * said).sum() / said.sum()


def recall(truth, said):
    return (truth * said).sum() / truth.sum()


def macro_f1(truth, said):
    both, either = (truth * said).sum(0), truth.sum(0) + said.sum(0)
    return (2 * both / np.maximum(either, 1e-9)).mean()


BEST = np.eye(4)[SCORES.argmax(-1)]
RANK = ((ONE_HOT * SCORES).sum(-1, keepdims=True) < SCORES).sum(-1)

VALUES = [
    ("accuracy", {}, (BEST * ONE_HOT).sum(-1).mean(), ((SCORES > 0) == BITS).mean()),
    ("top_k", {"k": 2}, (RANK < 2).mean(), None),
    ("precision", {}, precision(ONE_HOT, SHARES > 0.5), precision(BITS, SCORES > 0)),
    ("recall", {"threshold": 0.3}, recall(ONE_HOT, SHARES > 0.3), recall(BITS, YES > 0.3)),
    ("f1", {}, macro_f1(ONE_HOT, BEST), macro_f1(BITS, SCORES > 0)),
]


def measured(name, args, labels, target, prediction, from_logits, spec=SPEC):
    metric = Metric.find(name).model_validate(args)
    metric.check(spec, labels)
    kept = metric.lower(spec, labels, from_logits)
    kept.update_state(target, prediction)
    return float(kept.result())


@pytest.mark.parametrize(("name", "args", "classes", "bits"), VALUES, ids=lambda v: v if isinstance(v, str) else "")
def test_values(name, args, classes, bits):
    found = [
        measured(name, args, labels, target, prediction, logits)
        for labels, target in (("index", INDEX), ("one_hot", ONE_HOT))
        for prediction, logits in ((SHARES, False), (SCORES, True))
    ]
    assert found == pytest.approx([classes] * 4, rel=1e-5)
    if bits is not None:
        found = [measured(name, args, "binary", BITS, p, logits) for p, logits in ((YES, False), (SCORES, True))]
        assert found == pytest.approx([bits] * 2, rel=1e-5)


def test_auc_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    expected = roc_auc_score(BITS.ravel(), YES.ravel())
    assert measured("auc", {}, "binary", BITS, SCORES, True) == pytest.approx(expected, abs=5e-3)
    assert measured("auc", {}, "index", INDEX, SHARES, False) == pytest.approx(
        roc_auc_score(ONE_HOT.ravel(), SHARES.ravel()), abs=5e-3
    )


def test_iou_of_positions():
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(2, 5, 5, 3)).astype("float32")
    truth, said = rng.integers(0, 3, (2, 5, 5)).astype("int32"), scores.argmax(-1)
    truth[0, 0] = 255
    counts = truth != 255
    ious = [
        ((truth == c) & (said == c) & counts).sum() / (((truth == c) | (said == c)) & counts).sum() for c in range(3)
    ]
    spec = TensorSpec((5, 5, 3))
    found = measured("iou", {"ignore_class": 255}, "index", truth, scores, True, spec)
    assert found == pytest.approx(np.mean(ious), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse", lambda t, p: ((t - p) ** 2).mean()),
        ("rmse", lambda t, p: ((t - p) ** 2).mean() ** 0.5),
        ("mae", lambda t, p: np.abs(t - p).mean()),
        ("r2", lambda t, p: (1 - ((t - p) ** 2).sum(0) / ((t - t.mean(0)) ** 2).sum(0)).mean()),
        (
            "cosine_similarity",
            lambda t, p: ((t * p).sum(-1) / np.linalg.norm(t, axis=-1) / np.linalg.norm(p, axis=-1)).mean(),
        ),
    ],
)
def test_numbers(name, expected):
    target = SCORES + np.random.default_rng(3).normal(size=SCORES.shape).astype("float32")
    assert measured(name, {}, "numbers", target, SCORES, False) == pytest.approx(expected(target, SCORES), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "spec", "labels", "message"),
    [
        ("accuracy", SPEC, "numbers", "accuracy does not measure predictions of numbers"),
        ("mse", SPEC, "index", "mse does not measure predictions of classes"),
        ("top_k", SPEC, "one_hot", "top_k of 5 is always right for 4 classes"),
        ("f1", TensorSpec((5, 5, 3)), "index", "f1 needs one prediction for each example, got (5, 5, 3)"),
        ("iou", SPEC, "index", "iou needs a prediction at each position, got (4,)"),
    ],
)
def test_what_says_nothing_is_refused(name, spec, labels, message):
    with pytest.raises(OpError) as caught:
        Metric.find(name)().check(spec, labels)
    assert caught.value.message == message


def test_every_metric_is_called_as_it_is_named():
    for kind in Metric.all():
        metric = kind.model_validate({"k": 2} if kind.name == "top_k" else {})
        spec, labels = (TensorSpec((5, 5, 3)) if kind.name == "iou" else SPEC), metric.measures[0]
        assert metric.lower(spec, labels).name == ("top_2" if kind.name == "top_k" else kind.name)
