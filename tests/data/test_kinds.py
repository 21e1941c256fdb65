"""What is to be known of the values of a feature, and how they are drawn: by the feature's kind, without TensorFlow."""

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageDraw

from archspec.cli import main
from archspec.data.canvas import COLOURS, Canvas, colour
from archspec.data.drawing import picture
from archspec.data.example import CORNERS, input_of
from archspec.data.features.boxes import Boxes
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.labels import Labels
from archspec.data.features.mask import Mask
from archspec.data.features.numbers import Numbers
from archspec.data.features.points import Points
from archspec.data.features.polygons import Polygons
from archspec.data.features.tokens import Tokens
from archspec.data.features.vector import Vector
from archspec.ir.tensors import TensorSpec
from tests.wording import told

NAN = float("nan")
MASK = TensorSpec((2, 2, 1), "int32")
CASES = {
    "image": (Image(TensorSpec((1, 2, 1))), [[[[1.0], [2.0]]], [[[3.0], [3.0]]], [[[NAN], [1.0]]]]),
    "vector": (Vector(TensorSpec((2,))), [[1.0, 2.0], [np.inf, 0.0]]),
    "one number": (Vector(TensorSpec((1,))), [[1.0], [1.0]]),
    "label": (Label(3, ("ant", "bee", "cat")), [0, 2, 2]),
    "shares": (Label(2, is_mixed=True), [[0.5, 0.5], [NAN, 1.0]]),
    "steps": (Labels(3, 3, ("a", "b", "c")), [[0, 0, 1], [1, -1, -1]]),
    "classes of objects": (Labels(2, 3, ("a", "b", "c"), rows="object"), [[0, -1], [1, 1]]),
    "mask": (Mask(MASK, 3, ("sky", "sea", "sun")), [[[[0], [1]], [[1], [1]]], [[[0], [0]], [[0], [0]]]]),
    "numbers": (Numbers(("age", "size")), [[1.0, 2.0], [1.0, NAN], [1.0, 3.0]]),
    "boxes": (Boxes(2), [[[0, 0, 4, 4], [0, 0, 0, 0]], [[5.0, 0, 4, 4], [1, 1, NAN, 2]]]),
    "tokens": (Tokens(None, 3), [[1, 2, 0], [4, 4, 4]]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said_of_values(name):
    kind, values = CASES[name]
    values = np.array(values)
    lines = [f"{f.severity}, {f.kind}: {f.where} {f.message}" for f in kind.check(values, is_training=True)]
    later = [f"{f.severity}, {f.kind}: {f.where} {f.message}" for f in kind.check(values, is_training=False)]
    assert set(later) <= set(lines)
    lines += [f"held out: {len(later)} of these"]
    lines += [f"{count} of {called}" for called, count in kind.tally(values).items()]
    told("\n".join(lines))


def test_data_with_masks_and_objects_are_checked(capsys):
    """A label that is no number for each example was counted as if it were one: the check ended in a traceback."""
    assert main(["data", "check", "scenes"]) == 0
    told(capsys.readouterr().out)


GREY = np.full((40, 50, 3), 100, np.uint8)


def pillow():
    made = Pillow.fromarray(GREY.copy())
    return made, ImageDraw.Draw(made)


def test_boxes_have_the_colour_of_their_class_and_lie_on_their_pixels():
    boxes = np.array([[3, 4, 20, 30], [30, 0, 50, 12], [0, 0, 0, 0]], np.float32)
    features = {
        "image": Image(TensorSpec((40, 50, 3), "uint8")),
        "ignored": Labels(3, 2, rows="other"),
        "boxes": Boxes(3),
        "classes": Labels(3, 13, rows="object"),
    }
    parts = {"image": GREY, "boxes": boxes, "classes": np.array([1, 12, -1]), "ignored": np.array([0, 0, 0])}
    wanted, draw = pillow()
    draw.rectangle([3, 4, 19, 29], outline=COLOURS[1])
    draw.rectangle([30, 0, 49, 11], outline=colour(12))
    assert len({*COLOURS, *map(colour, range(30))}) == 30
    assert np.array_equal(picture(features, parts), np.asarray(wanted))
    assert (GREY == 100).all()


@pytest.mark.parametrize("seed", range(12))
def test_an_outline_is_one_pixel_wide_and_without_gaps_also_beyond_the_border(seed):
    """A pixel is drawn only if the line passes through it, and none of its points lies more than one from such."""
    corners = np.random.default_rng(seed).uniform(-60, 110, (5, 2)).astype(np.float32)
    canvas = Canvas(GREY)
    Polygons(1, 5).draw(canvas, corners[None])
    drawn = (canvas.pixels == COLOURS[0]).all(-1)
    assert (canvas.pixels[~drawn] == 100).all()
    ends = zip(corners, np.roll(corners, -1, 0), strict=True)
    line = np.concatenate([a + np.linspace(0, 1, 5000)[:, None] * (b - a) for a, b in ends])
    line = line[((line >= 0) & (line < (50, 40))).all(1)]
    x, y = line.astype(int).T
    wide = np.pad(drawn, 1)
    assert all(wide[b : b + 3, a : a + 3].any() for a, b in zip(x, y, strict=True))
    middles = np.argwhere(drawn)[:, ::-1] + 0.5
    assert len(line) > 0 and len(middles) > 0
    assert all(np.abs(line - middle).max(1).min() <= 0.51 for middle in middles)


def test_points_and_masks_are_drawn():
    canvas = Canvas(GREY)
    Points(2, 2, rows="object").draw(canvas, np.array([[[10.5, 20.5], [0, 0]], [[30, 30], [30, 30]]]), [3, -1])
    there = (canvas.pixels == COLOURS[3]).all(-1)
    assert there[19:22, 9:12].all() and there[:2, :2].all() and there.sum() == 13
    mask = np.zeros((40, 50, 1), np.int32)
    mask[:5], mask[5:9], mask[9:12] = 2, 255, 4
    canvas = Canvas(GREY)
    Mask(TensorSpec((40, 50, 1), "int32"), 5, ignored=255).draw(canvas, mask)
    assert (canvas.pixels[5:9] == 100).all() and (canvas.pixels[12:] == 100).all()
    for rows, number in ((slice(0, 5), 2), (slice(9, 12), 4)):
        assert (canvas.pixels[rows] == np.rint((100 + np.array(COLOURS[number])) / 2)).all()


def test_where_a_file_s_pixels_are_is_no_input():
    assert input_of(("image", "label", "epoch", "index", CORNERS)) == "image"
