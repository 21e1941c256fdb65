"""Pictures of a classifier on constructed cases, and its curves against scikit-learn."""

import numpy as np
import pytest

from archspec.evaluators.accuracy import curves
from archspec.evaluators.panels import COLUMNS, LINE, confusion_picture, grid

pytestmark = pytest.mark.tensorflow

DARK = np.array([8, 48, 107])
NAMES = ("ant", "bee", "cat")


def squares(picture, count, cell=40):
    """The colour of each cell of a confusion matrix, at its corner."""
    margin = picture.shape[0] - count * cell
    return picture[margin + 1 :: cell, margin + 1 :: cell]


def test_a_cell_is_as_dark_as_its_share_of_the_row():
    found = squares(confusion_picture(np.array([[4, 0, 0], [1, 3, 0], [0, 0, 0]]), NAMES), 3)
    np.testing.assert_array_equal(found[0, 0], DARK)
    np.testing.assert_allclose(found[1, 0], 255 + 0.25 * (DARK - 255.0), atol=0.51)
    np.testing.assert_allclose(found[1, 1], 255 + 0.75 * (DARK - 255.0), atol=0.51)
    assert (found[[0, 0, 1, 2, 2, 2], [1, 2, 2, 0, 1, 2]] == 255).all()


def test_names_stand_at_both_sides_and_of_many_classes_nowhere():
    picture = confusion_picture(np.eye(3, dtype=int), NAMES)
    margin = picture.shape[0] - 3 * 40
    assert (picture[margin:, :margin] < 128).any() and (picture[:margin, margin:] < 128).any()
    assert (picture[:margin, :margin] == 255).all()
    many = confusion_picture(np.eye(1000, dtype=int), tuple(map(str, range(1000))))
    margin = many.shape[0] - 1000
    assert many.shape == (1000 + margin, 1000 + margin, 3) and margin < 30
    np.testing.assert_array_equal(many[margin + 500, margin + 500], DARK)
    assert (many[margin + 500, margin + 501] == 255).all()


def test_axes_have_titles_and_cells_their_shares_of_the_row(monkeypatch):
    from PIL import ImageDraw

    written = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, at, text, *rest, **more: written.append(text) or draw(self, at, text, *rest, **more),
    )
    picture = confusion_picture(np.array([[995, 5, 0], [1, 3, 0], [0, 0, 2]]), NAMES)
    assert {"true class", "predicted class", *NAMES, "995", "99 %", "5", "1 %", "25 %", "75 %", "100 %"} <= set(written)
    # The one title is above all names, the other to the left of all.
    middle = picture.shape[0] - 60
    assert (picture[:14, middle - 40 : middle + 40] < 128).any() and (picture[:14, :40] == 255).all()
    assert (picture[middle - 40 : middle + 40, :14] < 128).any() and (picture[:40, :14] == 255).all()


def test_what_is_right_is_told_in_green_and_what_is_wrong_in_red():
    images = [np.zeros((96, 96, 3), np.uint8)] * 2
    said = np.array([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]])
    picture = grid(images, said, np.array([0, 2]), NAMES).astype(int)
    below = picture[100 : 100 + 2 * LINE]
    half = picture.shape[1] // COLUMNS
    right, wrong = below[:, :half], below[:, half : 2 * half]
    green = lambda part: (part[..., 1] > part[..., 0] + 60).any()  # noqa: E731
    red = lambda part: (part[..., 0] > part[..., 1] + 60).any()  # noqa: E731
    assert green(right) and not red(right)
    assert red(wrong) and not green(wrong)
    # What it is stands below where it was taken for something else.
    assert (right[LINE + 2 :] > 200).all() and (wrong[LINE + 2 :] < 100).any()


def test_long_names_are_shortened_and_any_letters_are_taken():
    images = [np.zeros((96, 96, 3), np.uint8)]
    names = ("a very long name of a class that fits nowhere", "猫 кошка 🐈")
    for label in (0, 1):
        assert grid(images, np.array([[0.4, 0.6]]), np.array([label]), names).shape == (132, 416, 3)
    assert confusion_picture(np.eye(2, dtype=int), names).shape[0] < 300


def test_curves_are_scikit_learns():
    from sklearn import metrics
    from tensorboard.plugins.pr_curve import summary

    draw = np.random.default_rng(0)
    said = draw.dirichlet(np.ones(3), 200)
    labels = np.array([draw.choice(3, p=p) for p in said])
    found = curves(said, labels, NAMES)
    assert list(found) == ["all classes", *NAMES]
    right, score = found["bee"]
    np.testing.assert_array_equal(right, labels == 1)
    # On scores that are thresholds both count the same.
    score = np.floor(score * 100) / 100
    value = summary.pb("bee", right, score + 1e-9, num_thresholds=101).value[0]
    precision, recall = np.frombuffer(value.tensor.tensor_content, np.float32).reshape(6, -1)[4:]
    wanted_precision, wanted_recall, at = metrics.precision_recall_curve(right, score)
    places = np.rint(at * 100).astype(int)
    np.testing.assert_allclose(precision[places], wanted_precision[:-1], atol=1e-6)
    np.testing.assert_allclose(recall[places], wanted_recall[:-1], atol=1e-6)


def test_many_classes_have_one_curve():
    said = np.full((4, 30), 1 / 30)
    ((name, (right, score)),) = curves(said, np.arange(4), tuple(map(str, range(30)))).items()
    assert name == "all classes" and right.sum() == 4 and right.shape == score.shape == (120,)
