"""Where things lie after each transform: a dot is put somewhere, and lands where plane geometry says.

The rules below are written by hand, from what the documentation says of a transform. Random numbers are given as
fractions of the range that they are drawn from: 0 is its low end, 1 its high end.
"""

from cmath import exp
from math import prod, radians, tan

import numpy as np
import pytest
import tensorflow as tf

from archspec.data.draw import Draw
from archspec.data.transform import Transform, for_evaluation
from archspec.data.transforms.policies import OPERATIONS

pytestmark = pytest.mark.tensorflow
HEIGHT, WIDTH = 48, 64
MIDDLE = (23.5, 31.5)


class Given(Draw):
    """Draws at given fractions of their ranges, one after another, and from the first again."""

    def __init__(self, *fractions, batch=1):
        zero = tf.zeros((batch,), tf.int64)
        super().__init__(0, "given", zero, zero)
        self.fractions, self.taken = fractions or (0.0,), 0

    def uniform(self, low=0.0, high=1.0, *, shape=()):
        count = prod(shape)
        some = [self.fractions[(self.taken + k) % len(self.fractions)] for k in range(count)]
        self.taken += count
        one = low + (high - low) * np.float32(some).reshape(shape)
        return tf.constant(np.repeat(one[None], int(self.batch), 0), tf.float32)

    def pixels(self, shape):
        """A fraction for each of the last axis: the same at every pixel."""
        return tf.constant(np.broadcast_to(np.float32(self.fractions[: shape[-1]]), (int(self.batch), *shape)))


def made(name, arguments):
    return Transform.find(name).model_validate(arguments)


def dot(y, x):
    """A black image with a soft dot about (y, x), which may lie between pixels."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    value = 255 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.5**2))
    return np.uint8(np.rint(value))[None, :, :, None].repeat(3, 3)


def place(image):
    """(y, x) of what differs from the background: its centre of gravity."""
    away = np.abs(np.float64(image[0]).sum(-1) - np.median(np.float64(image[0]).sum(-1)))
    rows, columns = np.mgrid[0 : away.shape[0], 0 : away.shape[1]]
    return (rows * away).sum() / away.sum(), (columns * away).sum() / away.sum()


def landed(transform, at, fractions=(), part="image"):
    out = transform.apply({"image": tf.constant(dot(*at)), "label": tf.ones((1, 1))}, Given(*fractions))
    return place(out[part].numpy())


def turned(at, degrees):
    """Counterclockwise about the middle, as seen: y points down."""
    arm = complex(at[1] - MIDDLE[1], MIDDLE[0] - at[0]) * exp(1j * radians(degrees))
    return MIDDLE[0] - arm.imag, MIDDLE[1] + arm.real


def zoomed(at, factor):
    return tuple(m + factor * (n - m) for n, m in zip(at, MIDDLE, strict=True))


def windowed(at, top, left, high, wide, size):
    """A part of the image scaled to a size: pixel k covers k … k + 1, its middle is k + ½."""
    return (at[0] + 0.5 - top) * size[0] / high - 0.5, (at[1] + 0.5 - left) * size[1] / wide - 0.5


def operation(name, sign):
    """What rand_augment draws for one operation, and -1 or 1 for its direction."""
    return ((OPERATIONS.index(name) + 0.5) / len(OPERATIONS), 0.25 if sign < 0 else 0.75)


A, B = (16, 40), (28, 20)
"""Places up to the right of the middle, and down to its left."""

MOVES = [
    # name, arguments, fractions, where the dot was, where it is then
    ("resize", {"size": [24, 96]}, (), A, (16.5 / 2 - 0.5, 40.5 * 1.5 - 0.5)),
    ("mirror", {"axis": "horizontal", "probability": 1}, (), A, (16, 63 - 40)),
    ("mirror", {"axis": "vertical", "probability": 1}, (), A, (47 - 16, 40)),
    # What is drawn says where a pixel comes from: a quarter of the height below and an eighth of the width to the left.
    ("shift", {"share": 0.25}, (1, 0.25), A, (16 - 12, 40 + 8)),
    ("shift", {"share": 0.25}, (0.25, 1), B, (28 + 6, 20 - 16)),
    # As Pillow's and torchvision's angles, positive ones are counterclockwise.
    ("rotate", {"degrees": 30}, (1,), A, turned(A, 30)),
    ("rotate", {"degrees": 30}, (0,), A, turned(A, -30)),
    ("rotate", {"degrees": 90}, (0.75,), B, turned(B, 45)),
    ("zoom", {"scale": [2, 2]}, (), (20, 36), zoomed((20, 36), 2)),
    ("zoom", {"scale": [0.5, 1.5]}, (0,), A, zoomed(A, 0.5)),
    ("zoom", {"scale": [0.5, 1.5]}, (1,), A, zoomed(A, 1.5)),
    # What is 7½ rows above the middle goes by as many columns times the tangent; the two angles are drawn one by one.
    ("shear", {"degrees": 45, "axes": "horizontal"}, (1, 0.8), A, (16, 40 + 7.5)),
    ("shear", {"degrees": 45, "axes": "horizontal"}, (0, 0.8), A, (16, 40 - 7.5)),
    ("shear", {"degrees": 45, "axes": "vertical"}, (0.8, 1), A, (16 - 8.5, 40)),
    ("shear", {"degrees": 45, "axes": "vertical"}, (0.8, 0), B, (28 - 11.5, 20)),
    # The flow says where a pixel comes from: 6 below and 3 to the left.
    ("elastic", {"strength": 6, "sigma": 1}, (1, 0.25), A, (16 - 6, 40 + 3)),
    ("center_crop", {"size": [28, 40]}, (), A, (16 - 10, 40 - 12)),
    # 21 places for the top, 25 for the left.
    ("random_crop", {"size": [28, 40]}, (0.5, 0.9), A, (16 - 10, 40 - 22)),
    ("random_crop", {"size": [32, 40], "padding": 4}, (0.5, 0.25), A, (16 + 4 - 12, 40 + 4 - 8)),
    ("center_tile", {"size": [28, 40]}, (), A, (16 - 10, 40 - 12)),
    # 29 places for the top, 33 for the left, of which the first four lie before the image.
    ("random_tile", {"size": [28, 40], "margin": 4}, (0.5, 0.75), A, (16 + 4 - 14, 40 + 4 - 24)),
    ("resized_center_crop", {"size": 24, "share": 0.75}, (), A, windowed(A, 6, 14, 36, 36, (24, 24))),
    # 24 of 48 rows are 16 of 32: as much of a wide part as of a high one.
    ("resized_center_crop", {"size": [16, 20], "short": 32}, (), A, windowed(A, 12, 17, 24, 30, (16, 20))),
    ("resized_center_crop", {"size": [18, 24], "share": 1}, (), A, windowed(A, 0, 0, 48, 64, (18, 24))),
    # A quarter of 48 · 64 = 3072 pixels, four times as wide as high: 14 × 55 of them, at the bottom left.
    (
        "random_resized_crop",
        {"size": [16, 24], "area": [0.25, 0.25], "ratio": [4, 4]},
        (*(0.5,) * 20, 0.999, 0.0),
        (40, 30),
        windowed((40, 30), 34, 0, 14, 55, (16, 24)),
    ),
    # The high end of the areas, the low end of the ratios: all of 3072 pixels · ½, thrice as high as wide: 68 × 23 does
    # not fit, so that the first of the other nine is taken: an eighth, of 48² / 6 = 384 pixels, 20 × 20.
    (
        "random_resized_crop",
        {"size": 10, "area": [0.125, 0.5], "ratio": [1 / 3, 3]},
        (1.0, *(0.0,) * 9, 0.0, *(0.5,) * 9, 0.0, 0.999),
        (10, 54),
        windowed((10, 54), 0, 44, 20, 20, (10, 10)),
    ),
    # 32 of 48 rows: 16 pixels are 24 of the image. 25 places for the top, 41 for the left.
    (
        "scale_jitter",
        {"size": 16, "short": [32, 64]},
        (0, 0.5, 0.999),
        (20, 50),
        windowed((20, 50), 12, 40, 24, 24, (16, 16)),
    ),
    ("rand_augment", {"layers": 1, "magnitude": 30}, operation("translate_x", 1), B, (28, 20 + 29)),
    ("rand_augment", {"layers": 1, "magnitude": 30}, operation("translate_y", -1), B, (28 - 22, 20)),
    ("rand_augment", {"layers": 1, "magnitude": 10}, operation("translate_y", 1), A, (16 + 7, 40)),
    ("rand_augment", {"layers": 1, "magnitude": 30}, operation("shear_x", 1), A, (16, 40 - 0.3 * 16)),
    ("rand_augment", {"layers": 1, "magnitude": 30}, operation("shear_y", -1), B, (28 + 0.3 * 20, 20)),
    ("rand_augment", {"layers": 1, "magnitude": 30}, operation("rotate", 1), A, turned(A, 30)),
    ("apply", {"to": "image", "steps": [{"mirror": {"probability": 1}}]}, (), A, (16, 63 - 40)),
]

PARTS = [
    ("halves", {}, A, "b", (16, 8)),
    ("halves", {}, B, "a", B),
    ("shrink", {"factor": 4}, A, "small", (16.5 / 4 - 0.5, 40.5 / 4 - 0.5)),
    ("shrink", {"factor": 4}, A, "large", A),
]

KEEP = {
    "aug_mix": {"magnitude": 0},
    "blur": {"probability": 1},
    "cache": {},
    "channel_shift": {"strength": 0.2},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "cutmix": {},
    "cutout": {"size": 4},
    "grayscale": {"probability": 1},
    "mixup": {},
    "normalize": {"mean": 20, "std": 3},
    "pca_noise": {"deviations": [60, 20, 5], "axes": [[0.6, 0.6, 0.53], [0.71, 0, -0.71], [0.4, -0.81, 0.42]]},
    "random_erasing": {"probability": 1, "fill": "value"},
    "rescale": {},
    "standardize": {},
}
"""What leaves everything where it is. (What is cut out of the image here is of its background.)"""


@pytest.mark.parametrize(("name", "arguments", "fractions", "before", "after"), MOVES)
def test_a_dot_lands_where_the_rule_says(name, arguments, fractions, before, after):
    assert landed(made(name, arguments), before, fractions) == pytest.approx(after, abs=0.15)


@pytest.mark.parametrize(("name", "arguments", "before", "part", "after"), PARTS)
def test_a_dot_lands_in_the_part_that_the_rule_says(name, arguments, before, part, after):
    assert landed(made(name, arguments), before, part=part) == pytest.approx(after, abs=0.15)


@pytest.mark.parametrize("name", KEEP)
def test_a_dot_stays_where_it_is(name):
    assert landed(made(name, KEEP[name]), A, (0.1, 0.2)) == pytest.approx(A, abs=0.15)


def test_every_transform_has_a_rule():
    """``perspective`` has tests of its own below, and what depends on objects or on other images in ``test_motion`` and
    ``test_mosaic``; a mean image is of its image's size, pixel by pixel."""
    ruled = {row[0] for row in (*MOVES, *PARTS)} | set(KEEP)
    elsewhere = {
        "letterbox",
        "iou_crop",
        "large_scale_jitter",
        "mosaic",
        "copy_paste",
        "until",
        "border_weights",
        "propose",
    }
    assert set(Transform.names()) - ruled == {"perspective", "subtract_mean_image"} | elsewhere


def test_sheared_along_both_axes():
    """One angle for each axis: what was at the output's (x, y) times a matrix comes there."""
    across, down = tan(radians(20)), tan(radians(-10))
    arm = np.linalg.solve([[1, across], [down, 1]], [A[1] - MIDDLE[1], A[0] - MIDDLE[0]])
    found = landed(made("shear", {"degrees": 40}), A, (0.75, 0.375))
    assert found == pytest.approx((MIDDLE[0] + arm[1], MIDDLE[1] + arm[0]), abs=0.15)


CORNERS = ((0, 0), (0, WIDTH - 1), (HEIGHT - 1, WIDTH - 1), (HEIGHT - 1, 0))
"""(y, x) in the order of the draws: clockwise from the top left; of each corner across first, then down."""


def test_perspective_moves_each_corner_inwards_by_its_own_draws():
    """Of an image whose four quarters are of four greys, each moved corner shows its own; past it there is black."""
    quarters = np.uint8([[60, 110], [210, 160]])
    image = quarters.repeat(HEIGHT // 2, 0).repeat(WIDTH // 2, 1)[None, :, :, None]
    fractions = (0.2, 0.8, 0.9, 0.3, 0.5, 0.1, 0.3, 0.6)
    transform = made("perspective", {"strength": 0.5, "probability": 1})
    out = transform.apply({"image": tf.constant(image)}, Given(*fractions))["image"].numpy()[0, :, :, 0]
    for (y, x), (across, down) in zip(CORNERS, np.reshape(fractions, (4, 2)), strict=True):
        inwards = (1 if y == 0 else -1, 1 if x == 0 else -1)
        # A displacement is a share of half the height and width.
        moved = np.array([y + inwards[0] * down * 0.25 * (HEIGHT - 1), x + inwards[1] * across * 0.25 * (WIDTH - 1)])
        inside, outside = (np.rint(moved + step * np.array(inwards)).astype(int) for step in (2, -2))
        assert out[tuple(inside)] == image[0, y, x, 0]
        if (outside >= (0, 0)).all() and (outside < out.shape).all():
            assert out[tuple(outside)] == 0


def test_perspective_keeps_lines():
    """The middle, where the diagonals meet, goes to where those of the moved corners meet."""
    fractions = (0.2, 0.8, 0.9, 0.3, 0.5, 0.1, 0.3, 0.6)
    corners = []
    for (y, x), (across, down) in zip(CORNERS, np.reshape(fractions, (4, 2)), strict=True):
        corners.append(
            (x + (1 - 2 * (x > 0)) * across * 0.25 * (WIDTH - 1), y + (1 - 2 * (y > 0)) * down * 0.25 * (HEIGHT - 1))
        )
    (a, b, c, d) = np.array(corners)
    along = np.linalg.solve(np.stack([c - a, b - d], 1), b - a)[0]
    x, y = a + along * (c - a)
    transform = made("perspective", {"strength": 0.5, "probability": 1})
    assert landed(transform, MIDDLE, fractions) == pytest.approx((y, x), abs=0.2)


def rows_and_columns(mask):
    """First and last row and column of a rectangle; fails for what is none."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all() and mask.sum() == len(rows) * len(columns)
    return (rows[0], rows[-1]), (columns[0], columns[-1])


@pytest.mark.parametrize(
    ("side", "rows", "columns"), [(4, (10, 13), (46, 49)), (5, (10, 14), (46, 50)), (1, (12, 12), (48, 48))]
)
def test_cutout_is_about_the_pixel_that_is_drawn(side, rows, columns):
    """A quarter of the height down, three of the width across: pixel (12, 48)."""
    image = tf.fill((1, HEIGHT, WIDTH, 3), tf.constant(9, tf.uint8))
    out = made("cutout", {"size": side}).apply({"image": image}, Given(0.25, 0.75))["image"].numpy()
    assert rows_and_columns(out[0, :, :, 0] == 0) == (rows, columns)


def test_random_erasing_is_of_the_area_and_as_high_over_wide_as_is_drawn():
    """A sixteenth of 3072 pixels, four times as high as wide: 28 × 7; 21 places down, 58 across."""
    image = tf.fill((1, HEIGHT, WIDTH, 3), tf.constant(9, tf.uint8))
    arguments = {"probability": 1, "fill": "value", "area": [1 / 32, 1 / 16], "ratio": [0.25, 4]}
    out = made("random_erasing", arguments).apply({"image": image}, Given(1, 1, 0.5, 0.25))["image"].numpy()
    assert rows_and_columns(out[0, :, :, 0] == 0) == ((10, 37), (14, 20))


def test_cutmix_takes_the_same_place_of_the_other_image():
    """A share of ¾ stays: half the height and half the width, about (24, 16)."""
    pair = np.random.default_rng(3).integers(0, 256, (2, HEIGHT, WIDTH, 3)).astype(np.uint8)
    batch = {"image": tf.constant(pair), "label": tf.eye(2)}
    out = made("cutmix", {"alpha": 1}).apply(batch, Given(0.75, 0.5, 0.25, batch=2))
    wanted = pair.copy()
    wanted[:, 12:36, 0:32] = pair[::-1, 12:36, 0:32]
    assert np.array_equal(out["image"].numpy(), wanted)
    np.testing.assert_allclose(out["label"].numpy(), [[0.75, 0.25], [0.25, 0.75]])


# --- evaluation -------------------------------------------------------------------------------------------------------


def center(size, share):
    return ("resized_center_crop", {"size": size, "share": share})


def center_of(size, short):
    return ("resized_center_crop", {"size": size, "short": short})


EVALUATED = [
    # What is not random stays, and what is random goes, but for what the image would not have its size without.
    *(
        (name, arguments, (name, arguments))
        for name, arguments in KEEP.items()
        if name in ("cache", "normalize", "rescale", "standardize")
    ),
    *((name, arguments, (name, arguments)) for name, arguments, *_ in PARTS),
    ("resize", {"size": 8}, ("resize", {"size": 8})),
    ("center_crop", {"size": 8}, ("center_crop", {"size": 8})),
    (*center((8, 8), 0.75), center((8, 8), 0.75)),
    *(
        (name, arguments, None)
        for name, arguments in KEEP.items()
        if name not in ("cache", "normalize", "rescale", "standardize", "grayscale")
    ),
    ("mirror", {"probability": 1}, None),
    ("shift", {"share": 0.1}, None),
    ("rotate", {"degrees": 10}, None),
    ("shear", {"degrees": 10}, None),
    ("zoom", {"scale": [2, 2]}, None),
    ("perspective", {}, None),
    ("elastic", {}, None),
    ("rand_augment", {}, None),
    # Grey in every example is no chance.
    ("grayscale", {"probability": 0.5}, None),
    ("grayscale", {"probability": 1}, ("grayscale", {"probability": 1})),
    ("random_crop", {"size": [28, 24], "padding": 4}, ("center_crop", {"size": [28, 24]})),
    ("border_weights", {}, None),
    ("propose", {"count": 9}, ("propose", {"count": 9})),
    ("random_tile", {"size": 24, "margin": 4}, ("center_tile", {"size": 24, "margin": 4})),
    ("center_tile", {"size": 24}, ("center_tile", {"size": 24})),
    ("random_resized_crop", {"size": [28, 24], "area": [0.5, 1]}, center((28, 24), 0.875)),
    ("scale_jitter", {"size": 224}, center_of((224, 224), 384)),
    ("scale_jitter", {"size": 224, "short": [256, 256]}, center_of((224, 224), 256)),
    ("letterbox", {"size": 40, "value": 0}, ("letterbox", {"size": 40, "value": 0})),
    ("large_scale_jitter", {"size": 40, "value": 3}, ("letterbox", {"size": 40, "value": 3})),
    ("iou_crop", {"size": [30, 40]}, ("resize", {"size": [30, 40]})),
    ("until", {"epoch": 3, "steps": ["mirror"]}, None),
    ("mosaic", {}, None),
    ("copy_paste", {}, None),
    ("apply", {"to": "a", "steps": ["mirror"]}, None),
    ("apply", {"to": "a", "steps": ["mirror", {"resize": 8}]}, ("apply", {"to": "a", "steps": [{"resize": 8}]})),
    ("apply", {"to": "a", "steps": [{"random_crop": 8}]}, ("apply", {"to": "a", "steps": [{"center_crop": 8}]})),
]


@pytest.mark.parametrize(("name", "arguments", "instead"), EVALUATED)
def test_what_stands_in_evaluation(name, arguments, instead):
    assert for_evaluation([made(name, arguments)]) == ((made(*instead),) if instead else ())


def test_every_transform_has_a_rule_for_evaluation():
    assert set(Transform.names()) - {name for name, *_ in EVALUATED} == {"subtract_mean_image"}


@pytest.mark.parametrize(("size", "height", "width"), [((12, 16), 48, 48), ((16, 12), 48, 64), ((12, 16), 64, 48)])
def test_the_scale_of_an_evaluation_is_the_images_alone(size, height, width):
    """Whatever the aspect ratios of image and size are: the short side of all these is 48 pixels, and then 30."""
    (instead,) = for_evaluation([made("scale_jitter", {"size": size, "short": [20, 40]})])
    window = instead.window((tf.constant([height]), tf.constant([width])), tf.zeros((1, 1)))
    taken = [int(n) for n in (window.height[0], window.width[0])]
    assert taken == pytest.approx([n * 48 / 30 for n in size], abs=0.5)
    assert [int(window.top[0]), int(window.left[0])] == [(height - taken[0]) // 2, (width - taken[1]) // 2]


@pytest.mark.parametrize("size", [16, (12, 12), (12, 16)])
def test_scale_jitter_is_evaluated_at_the_mean_of_its_scales(size):
    """The short side is as long as the mean of what is drawn (Simonyan and Zisserman 2014, 3.2): here 30 pixels, of 48,
    so that distances are 30/48 of what they were."""
    (instead,) = for_evaluation([made("scale_jitter", {"size": size, "short": [20, 40]})])
    one, other = landed(instead, (19, 28)), landed(instead, (28, 36))
    assert np.subtract(other, one) == pytest.approx(np.multiply(30 / 48, (9, 8)), rel=0.03)
