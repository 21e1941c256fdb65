"""Losses: values against Keras's own functions, target shapes, and what a head may end in."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from archspec.ops.loss import Loss, check_operands, last_activation
from tests.report.conftest import build
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

RNG = np.random.default_rng(0)
SCORES = RNG.normal(0.0, 1.5, (6, 4)).astype("float32")
SHARES = np.exp(SCORES) / np.exp(SCORES).sum(-1, keepdims=True)
YES = 1 / (1 + np.exp(-SCORES))
INDEX = RNG.integers(0, 4, 6).astype("int32")
ONE_HOT = np.eye(4, dtype="float32")[INDEX]
BITS = RNG.integers(0, 2, (6, 4)).astype("float32")
NUMBERS = RNG.normal(0.0, 2.0, (6, 4)).astype("float32")
UNIT = SCORES / np.linalg.norm(SCORES, axis=-1, keepdims=True)


def cross_entropy(target, p):
    return -(target * np.log(p)).sum(-1).mean()


def binary(target, p):
    return -(target * np.log(p) + (1 - target) * np.log(1 - p)).mean()


def huber(d, delta):
    return np.where(d <= delta, d * d / 2, delta * (d - delta / 2))


def focal(target, p, gamma, alpha):
    right = np.where(target == 1, p, 1 - p)
    weight = np.where(target == 1, alpha, 1 - alpha) if alpha is not None else 1.0
    return (-weight * (1 - right) ** gamma * np.log(right)).mean()


def by_class(of_one, true, said):
    return np.mean([of_one(true[:, k], said[:, k]) for k in range(true.shape[1]) if true[:, k].any()])


def lovasz(true, said):
    """The Lovász extension as an integral: over all t, 1 - intersection over union if the positions whose error is
    t or more were wrong."""
    errors = np.abs(true.astype(float) - said)
    steps = np.unique(np.concatenate([[0.0], errors]))
    wrong = [errors >= high for high in steps[1:]]
    lost = [1 - (true.astype(bool) & ~w).sum() / (true.astype(bool) | w).sum() for w in wrong]
    return np.dot(np.diff(steps), lost)


SMOOTH = 0.9 * ONE_HOT + 0.1 / 4
DISTANCE = np.abs(NUMBERS - SCORES)
SIGNS = 2 * BITS - 1
RIGHT, WRONG = (ONE_HOT * SCORES).sum(-1), ((1 - ONE_HOT) * SCORES).max(-1)

# Of each mean and deviation the integral of p(z) · log(p(z) / q(z)), by a sum over z.
MEANS, DEVIATIONS = SCORES[..., None], np.exp(NUMBERS[..., None] / 2)
POINTS = np.linspace(-12, 12, 20001)
LOG_P = -(((MEANS + DEVIATIONS * POINTS) - MEANS) ** 2) / (2 * DEVIATIONS**2) - np.log(DEVIATIONS)
LOG_Q = -((MEANS + DEVIATIONS * POINTS) ** 2) / 2
DENSITY = np.exp(-(POINTS**2) / 2) / np.sqrt(2 * np.pi)
NORMAL_KL = ((LOG_P - LOG_Q) * DENSITY).sum(-1).dot(np.ones(4)) * (POINTS[1] - POINTS[0])

# Loss, arguments, target, what it gets, and the value in NumPy.
BOXES = json.loads((Path(__file__).parents[1] / "reference" / "vectors_boxes.json").read_text())["iou"]
"""torchvision's."""
VALUES = [
    ("categorical_crossentropy", {}, ONE_HOT, SHARES, cross_entropy(ONE_HOT, SHARES)),
    ("categorical_crossentropy", {"label_smoothing": 0.1}, ONE_HOT, SHARES, cross_entropy(SMOOTH, SHARES)),
    ("sparse_categorical_crossentropy", {}, INDEX, SHARES, cross_entropy(ONE_HOT, SHARES)),
    ("binary_crossentropy", {}, BITS, YES, binary(BITS, YES)),
    ("binary_crossentropy", {"label_smoothing": 0.2}, BITS, YES, binary(0.8 * BITS + 0.1, YES)),
    ("focal", {}, BITS, YES, focal(BITS, YES, 2.0, 0.25)),
    ("focal", {"gamma": 1.0, "alpha": None}, BITS, YES, focal(BITS, YES, 1.0, None)),
    (
        "categorical_focal",
        {"gamma": 3.0},
        ONE_HOT,
        SHARES,
        -(0.25 * ONE_HOT * (1 - SHARES) ** 3 * np.log(SHARES)).sum(-1).mean(),
    ),
    ("generalized_crossentropy", {"q": 0.7}, INDEX, SHARES, ((1 - (ONE_HOT * SHARES).sum(-1) ** 0.7) / 0.7).mean()),
    ("hinge", {}, BITS, SCORES, np.maximum(1 - SIGNS * SCORES, 0).mean()),
    ("squared_hinge", {}, BITS, SCORES, (np.maximum(1 - SIGNS * SCORES, 0) ** 2).mean()),
    ("categorical_hinge", {}, ONE_HOT, np.abs(SCORES), None),
    ("mse", {}, NUMBERS, SCORES, (DISTANCE**2).mean()),
    ("mae", {}, NUMBERS, SCORES, DISTANCE.mean()),
    ("mape", {}, NUMBERS, SCORES, (100 * DISTANCE / np.abs(NUMBERS)).mean()),
    ("msle", {}, NUMBERS**2, SCORES**2, ((np.log1p(NUMBERS**2) - np.log1p(SCORES**2)) ** 2).mean()),
    ("huber", {"delta": 0.5}, NUMBERS, SCORES, huber(DISTANCE, 0.5).mean()),
    ("smooth_l1", {}, NUMBERS, SCORES, huber(DISTANCE, 1.0).mean()),
    ("smooth_l1", {"beta": 1 / 9}, NUMBERS, SCORES, (huber(DISTANCE, 1 / 9) * 9).mean()),
    ("log_cosh", {}, NUMBERS, SCORES, np.log(np.cosh(DISTANCE)).mean()),
    ("poisson", {}, NUMBERS**2, YES, (YES - NUMBERS**2 * np.log(YES)).mean()),
    ("kl_divergence", {}, SMOOTH, SHARES, (SMOOTH * np.log(SMOOTH / SHARES)).sum(-1).mean()),
    (
        "cosine_similarity",
        {},
        NUMBERS,
        SCORES,
        -((NUMBERS * SCORES).sum(-1) / np.linalg.norm(NUMBERS, axis=-1) / np.linalg.norm(SCORES, axis=-1)).mean(),
    ),
    (
        "jaccard",
        {},
        BITS,
        YES,
        by_class(lambda t, p: 1 - (t * p).sum() / (t + p - t * p).sum(), BITS, YES),
    ),
    ("lovasz_softmax", {}, ONE_HOT, SHARES, by_class(lovasz, ONE_HOT, SHARES)),
    ("dice", {}, BITS, YES, 1 - 2 * (BITS * YES).sum() / (BITS.sum() + YES.sum())),
    (
        "tversky",
        {"alpha": 0.3, "beta": 0.7},
        BITS,
        YES,
        1 - (BITS * YES).sum() / ((BITS * YES).sum() + 0.3 * ((1 - BITS) * YES).sum() + 0.7 * (BITS * (1 - YES)).sum()),
    ),
    *(
        ("iou", {"variant": variant}, np.array(a, "float32"), np.array(b, "float32"), np.mean(1 - np.diag(known)[:2]))
        for variant, known, a, b in (
            (variant, np.array(BOXES[name])[:2, :2], BOXES["b"][:2], BOXES["a"][:2])
            for variant, name in (("plain", "iou"), ("generalized", "giou"), ("distance", "diou"), ("complete", "ciou"))
        )
    ),
    ("circle", {}, INDEX, UNIT, None),
    ("wasserstein", {}, SIGNS, SCORES, -(SIGNS * SCORES).mean()),
    ("normal_kl", {}, NUMBERS, SCORES, NORMAL_KL.mean()),
]
KERAS = {
    "categorical_hinge": lambda t, p: np.maximum(1 + ((1 - t) * p).max(-1) - (t * p).sum(-1), 0).mean(),
    "circle": lambda t, p: keras.losses.Circle()(t, p),
}


@pytest.mark.parametrize(
    ("name", "args", "target", "prediction", "value"), VALUES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_values(name, args, target, prediction, value):
    loss = Loss.find(name).model_validate(args)
    expected = KERAS[name](target, prediction) if value is None else value
    assert float(loss.lower()(target, prediction)) == pytest.approx(float(expected), rel=2e-5)
    assert loss.second(TensorSpec((4,))).rank == target.ndim - 1


@pytest.mark.parametrize(
    ("name", "target", "probabilities"),
    [
        ("categorical_crossentropy", ONE_HOT, SHARES),
        ("sparse_categorical_crossentropy", INDEX, SHARES),
        ("categorical_focal", ONE_HOT, SHARES),
        ("binary_crossentropy", BITS, YES),
        ("focal", BITS, YES),
    ],
)
def test_logits_give_what_probabilities_give(name, target, probabilities):
    loss = Loss.find(name)()
    assert float(loss.lower(from_logits=True)(target, SCORES)) == pytest.approx(
        float(loss.lower()(target, probabilities)), rel=2e-5
    )


def test_every_loss_that_lowers_is_compared():
    assert set(Loss.names()) - {name for name, *_ in VALUES} == {"ctc"}


def test_ctc_is_kerass():
    scores, labels = (
        np.random.default_rng(2).normal(size=(2, 8, 5)).astype("float32"),
        np.array([[1, 2, 0], [3, 3, 4]], "int32"),
    )
    found = Loss.find("ctc")().lower()(labels, scores)
    assert float(found) == pytest.approx(float(keras.losses.CTC()(labels, scores)))
    assert Loss.find("ctc")().target(TensorSpec((8, 5))) == TensorSpec((None,), "int32")


@pytest.mark.parametrize(
    ("name", "last", "logits"),
    [
        ("categorical_crossentropy", "softmax", False),
        ("categorical_crossentropy", None, True),
        ("categorical_crossentropy", "relu", True),
        ("binary_crossentropy", "sigmoid", False),
        ("binary_crossentropy", "hard_sigmoid", False),
        ("categorical_crossentropy", "log_softmax", True),
        ("focal", None, True),
        ("mse", "sigmoid", False),
        ("dice", "softmax", False),
        ("hinge", "tanh", False),
    ],
)
def test_what_a_head_ends_in_says_whether_it_gives_logits(name, last, logits):
    assert Loss.find(name)().gets_logits(last and Op.find(last)()) is logits


@pytest.mark.parametrize(
    ("name", "last", "message"),
    [
        (
            "categorical_crossentropy",
            "sigmoid",
            "categorical_crossentropy takes what softmax gives, or logits, this comes out of sigmoid",
        ),
        (
            "binary_crossentropy",
            "softmax",
            "binary_crossentropy takes what sigmoid gives, or logits, this comes out of softmax",
        ),
        ("dice", None, "dice takes probabilities, this comes out of no activation"),
        ("kl_divergence", "relu", "kl_divergence takes probabilities, this comes out of relu"),
        ("hinge", "sigmoid", "hinge takes scores, not probabilities, this comes out of sigmoid"),
    ],
)
def test_a_head_that_contradicts_its_loss_is_refused(name, last, message):
    with pytest.raises(OpError) as caught:
        Loss.find(name)().gets_logits(last and Op.find(last)())
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("steps", "last"),
    [
        ([("a", "dense", {"units": 3})], None),
        ([("a", "dense", {"units": 3, "activation": "softmax"})], "softmax"),
        ([("a", "dense", {"units": 3}), ("b", "softmax", {}), ("c", "flatten", {})], "softmax"),
        ([("a", "dense", {"units": 3, "activation": "sigmoid"}), ("b", "dense", {"units": 3})], None),
        ([("a", "activation", {"function": "softmax"}), ("b", "upsample", {"factor": 2})], "softmax"),
        ([("a", "dense", {"units": 3}), ("b", "linear", {})], None),
        ([("a", "softmax", {}), ("b", "softmax", {}, ["image"]), ("c", "concat", {}, ["a", "b"])], "softmax"),
        ([("a", "softmax", {}), ("b", "relu", {}, ["image"]), ("c", "concat", {}, ["a", "b"])], None),
    ],
)
def test_the_last_activation_of_a_head(steps, last):
    graph = build({"image": (4, 4, 3)}, steps)
    found = last_activation(graph.by_name, graph.outputs[0].tensor)
    assert (found and found.name) == last


@pytest.mark.parametrize(
    ("name", "args", "shape", "message"),
    [
        ("categorical_crossentropy", {}, (1,), "categorical_crossentropy needs two classes or more, got (1,)"),
        ("mse", {}, (), "mse needs predictions with channels, got ()"),
        ("ctc", {}, (5,), "ctc needs scores of shape (time, classes), got (5,)"),
        ("normal_kl", {}, (4,), "normal_kl is of two results, means and log-variances: no data have them"),
        ("circle", {}, (2, 5), "circle needs an embedding of each example, got (2, 5)"),
        ("iou", {}, (10, 5), "iou compares boxes, four numbers each, got (10, 5)"),
    ],
)
def test_predictions_that_a_loss_cannot_be_applied_to(name, args, shape, message):
    with pytest.raises(OpError) as caught:
        Loss.find(name).model_validate(args).target(TensorSpec(shape))
    assert caught.value.message == message


def test_operands_of_a_training_step():
    mse, cross = Loss.find("mse")(), Loss.find("categorical_crossentropy")()
    check_operands(mse, TensorSpec((30, 30, 1)), 1)
    check_operands(mse, TensorSpec((8,)), TensorSpec((8,)))
    with refuses(OpError):
        check_operands(mse, TensorSpec((8,)), TensorSpec((9,)))
    with refuses(OpError):
        check_operands(cross, TensorSpec((8,)), 1)
