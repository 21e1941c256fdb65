"""Each transform against Pillow, torchvision's published formulas, NumPy or SciPy, and all for their contract."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from archspec.data.example import from_specs
from archspec.data.transform import Transform, TransformError, for_evaluation, infer
from archspec.ir.tensors import TensorSpec
from tests.data.conftest import picture
from tests.data.test_geometry import Given
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
FEATURES = from_specs(
    {"image": TensorSpec((24, 32, 3), "uint8"), "label": TensorSpec((), "int32")}, {"train": 64}, classes=4
)
AXES = {"deviations": [60, 20, 5], "axes": [[0.6, 0.6, 0.53], [0.71, 0, -0.71], [0.4, -0.81, 0.42]]}
ARGUMENTS = {
    "resize": {"size": [10, 12]},
    "center_crop": {"size": 10},
    "random_crop": {"size": [24, 32], "padding": 4},
    "random_tile": {"size": [20, 40], "margin": 3},
    "center_tile": {"size": [20, 40]},
    "random_resized_crop": {"size": 16},
    "resized_center_crop": {"size": 16},
    "scale_jitter": {"size": 16, "short": [20, 40]},
    "letterbox": {"size": [20, 16]},
    "large_scale_jitter": {"size": 16},
    "shift": {"share": 0.2},
    "rotate": {"degrees": 30},
    "shear": {"degrees": 20},
    "zoom": {"scale": [0.7, 1.4]},
    "cutout": {"size": 8},
    "channel_shift": {"strength": 0.2},
    "color_jitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1},
    "grayscale": {"probability": 0.5},
    "pca_noise": AXES,
}
NAMES = [
    n
    for n in Transform.names()
    if n
    not in (
        "subtract_mean_image",
        "apply",
        "halves",
        "shrink",
        "iou_crop",
        "until",
        "mosaic",
        "copy_paste",
        "border_weights",
        "propose",
    )
]


def made(name, **arguments):
    return Transform.find(name).model_validate(arguments or ARGUMENTS.get(name, {}))


def draw(count, name="t", epoch=0):
    import tensorflow as tf

    from archspec.data.draw import Draw

    return Draw(5, name, tf.fill([count], tf.constant(epoch, tf.int64)), tf.range(count, dtype=tf.int64))


def images(count=64, height=24, width=32):
    return np.stack([picture(height, width, i) for i in range(count)])


def applied(transform, image, label=None, epoch=0):
    import tensorflow as tf

    label = tf.one_hot(np.arange(len(image)) % 4, 4) if label is None else label
    out = transform.apply({"image": tf.constant(image), "label": label}, draw(len(image), epoch=epoch))
    return {k: v.numpy() for k, v in out.items()}


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out_is_what_was_said(name):
    transform = made(name)
    said = infer(FEATURES, [transform])[-1]
    out = applied(transform, images())
    assert out["image"].shape == (64, *said.image.shape) and out["image"].dtype == said.image.dtype
    if said.parts["label"].rank:
        assert np.allclose(out["label"].sum(1), 1, atol=1e-5)


@pytest.mark.fast(8)
@pytest.mark.parametrize("name", [n for n in NAMES if Transform.find(n).is_random])
def test_what_is_random_depends_on_epoch_and_example_alone(name):
    transform, x = made(name), images()
    once, again, later = (applied(transform, x, epoch=e)["image"] for e in (0, 0, 1))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, later)
    # A smaller batch, cut at an even place: pairs stay together.
    assert np.array_equal(applied(transform, x[:10])["image"], once[:10])
    steady = for_evaluation([transform])
    assert all(not t.is_random for t in steady)


@pytest.mark.fast(6)
@pytest.mark.parametrize(
    "name", [n for n in NAMES if Transform.find(n).is_random and "probability" in Transform.find(n).model_fields]
)
def test_probability_is_the_share_that_changes(name):
    x = images(512)
    arguments = dict(ARGUMENTS.get(name, {}))
    for probability in (0.0, 0.25):
        out = applied(made(name, **{**arguments, "probability": probability}), x)["image"]
        changed = (out != x).reshape(512, -1).any(1).mean()
        assert changed <= 0.31 and (changed == 0 if probability == 0 else changed > 0.1)


def test_mirror_swaps_sides():
    x = images()
    out = applied(made("mirror"), x)["image"]
    kinds = [np.array_equal(o, i[:, ::-1]) for o, i in zip(out, x, strict=True)]
    assert 20 < sum(kinds) < 44
    assert all(k or np.array_equal(o, i) for k, o, i in zip(kinds, out, x, strict=True))
    assert np.array_equal(applied(made("mirror", axis="vertical", probability=1), x)["image"], x[:, ::-1])


def test_random_crop_is_a_part_of_the_padded_image():
    x = images(16)
    padded = np.pad(x, [(0, 0), (4, 4), (4, 4), (0, 0)])
    places = set()
    for out, whole in zip(applied(made("random_crop"), x)["image"], padded, strict=True):
        found = [(r, c) for r in range(9) for c in range(9) if np.array_equal(whole[r : r + 24, c : c + 32], out)]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 10


def test_a_turn_by_a_right_angle():
    """Pillow's rotation is exact at 90°."""
    x = images(4, 21, 21)
    transform = made("rotate", degrees=90.0)
    module = SimpleNamespace(uniform=lambda low, high: np.full(4, high, np.float32))
    import tensorflow as tf

    out = transform.apply({"image": tf.constant(x)}, module)["image"].numpy()
    assert np.array_equal(out, np.rot90(x, 1, (1, 2))) or np.array_equal(out, np.rot90(x, -1, (1, 2)))


def test_perspective_takes_corners_to_where_they_were_drawn():
    import tensorflow as tf

    from archspec.data.transforms.geometry import projective

    here = np.array([[[0, 0], [31, 0], [31, 23], [0, 23]]], np.float32)
    there = here + np.array([[[3, 2], [-4, 1], [-2, -5], [6, -1]]], np.float32)
    a, b, c, d, e, f, g, h = projective(tf.constant(here), tf.constant(there)).numpy()[0]
    for (x, y), wanted in zip(here[0], there[0], strict=True):
        k = g * x + h * y + 1
        assert np.allclose([(a * x + b * y + c) / k, (d * x + e * y + f) / k], wanted, atol=1e-3)


def test_color_jitter_against_pillow():
    import tensorflow as tf

    from archspec.data.transforms.color import _apply_matrix, brightened, contrasted, saturated

    x = images(1)
    pil, factor = Image.fromarray(x[0]), tf.constant([0.7])
    grey = np.asarray(pil.convert("L"), np.float32).mean() / 255
    for matrix, enhance in (
        (brightened(factor), ImageEnhance.Brightness),
        (saturated(factor), ImageEnhance.Color),
        (contrasted(factor, tf.constant([grey])), ImageEnhance.Contrast),
    ):
        wanted = np.asarray(enhance(pil).enhance(0.7), int)
        assert np.abs(_apply_matrix(tf.constant(x), matrix, 255.0).numpy()[0].astype(int) - wanted).max() <= 1


def test_color_jitter_does_one_after_the_other_against_pillow():
    """Brightness, contrast about what is then the mean grey, saturation: on a mild image, which nothing cuts off."""
    import tensorflow as tf

    x = images(1) // 2 + 20
    jitter = made("color_jitter", brightness=0.2, contrast=0.5, saturation=0.5)
    out = jitter.apply({"image": tf.constant(x)}, Given(1, 0, 0.25))["image"].numpy()[0].astype(int)
    wanted = Image.fromarray(x[0])
    for enhance, factor in ((ImageEnhance.Brightness, 1.2), (ImageEnhance.Contrast, 0.5), (ImageEnhance.Color, 0.75)):
        wanted = enhance(wanted).enhance(factor)
    assert np.abs(out - np.asarray(wanted, int)).max() <= 2


def test_hue_keeps_luma_and_comes_round():
    import tensorflow as tf

    from archspec.data.transforms.color import LUMA, hue_rotation

    assert np.allclose(hue_rotation(tf.constant([2 * np.pi])).numpy()[0], np.eye(3, 4), atol=1e-5)
    third = hue_rotation(tf.constant([2 * np.pi / 3])).numpy()[0, :, :3]
    assert np.allclose(third @ third @ third, np.eye(3), atol=1e-4)
    assert np.allclose(np.array(LUMA) @ third, LUMA, atol=1e-4)


def test_neighbours_that_map_colors_are_one_map():
    """Without cutting off between them: against matrices multiplied in NumPy, on mild changes of mid-grey images."""
    import tensorflow as tf

    from archspec.data.transforms.color import mapped

    x = np.uint8(images() // 4 + 96)
    a, b = made("color_jitter", brightness=0.1, saturation=0.2), made("pca_noise")
    fused = mapped(tf.constant(x), [(a, draw(64, "a")), (b, draw(64, "b"))]).numpy().astype(int)
    apart = mapped(mapped(tf.constant(x), [(a, draw(64, "a"))]), [(b, draw(64, "b"))]).numpy().astype(int)
    assert np.abs(fused - apart).max() <= 1 and np.abs(fused - x).max() > 5


def test_pca_noise_moves_colors_along_the_axes():
    x = np.full((4096, 2, 2, 3), 128, np.uint8)
    float_image = x.astype(np.float32) / 255
    moved = (applied(made("pca_noise"), float_image)["image"][:, 0, 0] - 128 / 255) * 255
    axes = np.array(AXES["axes"])
    wanted = (axes.T * np.square(np.array(AXES["deviations"]) * 0.1)) @ axes
    assert np.allclose(np.cov(moved.T), wanted, atol=2)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixing_shares_follow_the_beta_distribution(alpha):
    import tensorflow as tf
    from scipy.stats import beta

    from archspec.data.transforms.mixing import _beta

    u = np.linspace(0.001, 0.999, 10001, dtype=np.float32)
    assert np.abs(_beta(tf.constant(u), alpha).numpy() - beta(alpha, alpha).ppf(u)).max() < 3e-3


def test_mixup_mixes_pixels_and_labels_alike():
    import tensorflow as tf

    x = np.float32(np.random.default_rng(0).random((9, 4, 4, 1)))
    label = tf.one_hot(np.arange(9), 9)
    out = applied(made("mixup", alpha=1.0), x, label)
    partner = [1, 0, 3, 2, 5, 4, 7, 6, 8]
    for i, (image, got) in enumerate(zip(out["image"], out["label"], strict=True)):
        share = got[i]
        assert np.allclose(image, share * x[i] + (1 - share) * x[partner[i]], atol=1e-5)
    assert 0.2 < np.diag(out["label"])[:8].mean() < 0.8


def test_cutmix_labels_are_areas():
    import tensorflow as tf

    x = np.repeat(np.arange(64, dtype=np.uint8), 24 * 32 * 3).reshape(64, 24, 32, 3)
    out = applied(made("cutmix"), x, tf.one_hot(np.arange(64), 64))
    for i, (image, label) in enumerate(zip(out["image"], out["label"], strict=True)):
        assert set(np.unique(image)) <= {i, i ^ 1}
        assert abs((image == i).mean() - label[i]) < 1e-5 and abs((image == (i ^ 1)).mean() - label[i ^ 1]) < 1e-5


def test_cutout_is_a_square_and_erasing_a_rectangle_inside():
    x = np.full((256, 24, 32, 3), 9, np.uint8)
    holes = applied(made("cutout", size=8), x)["image"][..., 0] == 0
    sizes = holes.reshape(256, -1).sum(1)
    assert sizes.max() == 64 and sizes.min() >= 16
    erased = applied(made("random_erasing", fill="value", probability=1.0), x)["image"][..., 0] == 0
    for hole in erased:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole.sum() == len(rows) * len(columns) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    share = erased.reshape(256, -1).mean(1)
    assert share.min() > 0.01 and share.max() < 0.36


def test_blur_against_scipy():
    import tensorflow as tf
    from scipy.ndimage import gaussian_filter

    from archspec.data.transforms.filters import blurred

    x = np.random.default_rng(1).random((2, 20, 30, 3)).astype(np.float32)
    out = blurred(tf.constant(x), tf.constant([0.8, 1.7]), 1.7).numpy()
    for image, got, sigma in zip(x, out, (0.8, 1.7), strict=True):
        wanted = gaussian_filter(image, (sigma, sigma, 0), mode="nearest", radius=5)
        assert np.allclose(got, wanted, atol=1e-5)


def test_elastic_against_scipy():
    """The displacement field is ours; taking pixels along it is scipy's."""
    import tensorflow as tf
    from scipy.ndimage import map_coordinates

    from archspec.data.pixels import sampled

    rng = np.random.default_rng(2)
    x = rng.random((1, 12, 15, 1)).astype(np.float32)
    y, c = np.mgrid[0:12, 0:15] + rng.uniform(-3, 3, (2, 12, 15))
    out = sampled(tf.constant(x), tf.constant(y[None], tf.float32), tf.constant(c[None], tf.float32)).numpy()
    assert np.allclose(out[0, ..., 0], map_coordinates(x[0, ..., 0], [y, c], order=1, mode="nearest"), atol=1e-4)


PILLOW = {
    "sharpness": lambda im, f: ImageEnhance.Sharpness(im).enhance(f),
    "posterize": lambda im, f: ImageOps.posterize(im, 7),
    "solarize": lambda im, f: ImageOps.solarize(im, 255 * (1 - 9 / 30)),
    "autocontrast": lambda im, f: ImageOps.autocontrast(im),
    "equalize": lambda im, f: ImageOps.equalize(im),
    "brightness": lambda im, f: ImageEnhance.Brightness(im).enhance(f),
    "color": lambda im, f: ImageEnhance.Color(im).enhance(f),
    "contrast": lambda im, f: ImageEnhance.Contrast(im).enhance(f),
    "identity": lambda im, f: im,
    "translate_x": lambda im, f: im.transform(im.size, Image.AFFINE, (1, 0, -round(150 / 331 * 32 * 0.3), 0, 1, 0)),
    "translate_y": lambda im, f: im.transform(im.size, Image.AFFINE, (1, 0, 0, 0, 1, -round(150 / 331 * 24 * 0.3))),
    "shear_x": lambda im, f: im.transform(im.size, Image.AFFINE, (1, 0.3 * 9 / 30, -0.15 * 9 / 30, 0, 1, 0)),
    "shear_y": lambda im, f: im.transform(im.size, Image.AFFINE, (1, 0, 0, 0.3 * 9 / 30, 1, -0.15 * 9 / 30)),
}


@pytest.mark.fast(4)
@pytest.mark.parametrize("name", PILLOW)
def test_operations_of_rand_augment_against_pillow(name):
    import tensorflow as tf

    from archspec.data.transforms.policies import OPERATIONS, operated

    x = images(6)
    # Only every second image: the others must come back untouched.
    kind = np.array([OPERATIONS.index(name), 0] * 3, np.int32)
    out = operated(tf.constant(x), tf.constant(kind), tf.fill([6], 9 / 30), tf.ones(6)).numpy()
    assert np.array_equal(out[1::2], x[1::2])
    for got, image in zip(out[::2], x[::2], strict=True):
        wanted = np.asarray(PILLOW[name](Image.fromarray(image), 1 + 0.9 * 9 / 30), int)
        assert np.abs(got.astype(int) - wanted).max() <= 1


def test_rotation_of_rand_augment_against_pillow():
    import tensorflow as tf

    from archspec.data.transforms.policies import OPERATIONS, operated

    x = images(2)
    kind = tf.fill([2], OPERATIONS.index("rotate"))
    out = operated(tf.constant(x), kind, tf.ones(2), tf.constant([1.0, -1.0])).numpy()
    for got, image, angle in zip(out, x, (30, -30), strict=True):
        # Pillow counts in 65,536ths of a pixel.
        assert (got != np.asarray(Image.fromarray(image).rotate(angle))).mean() < 0.01


def test_standardize_against_numpy_and_normalize_by_formula():
    x = images(3)
    wanted = np.stack([(i - i.mean()) / i.std() for i in x.astype(np.float64)])
    assert np.allclose(applied(made("standardize"), x)["image"], wanted, atol=1e-4)
    out = applied(made("normalize", mean=[1, 2, 3], std=4), x)["image"]
    assert np.allclose(out, (x - np.array([1.0, 2, 3])) / 4)
    assert np.allclose(applied(made("rescale", low=-1.0), x)["image"], x / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize("method", ["bilinear", "nearest", "bicubic", "area"])
def test_resize_keeps_the_type_and_the_mean(method):
    x = images(2)
    out = applied(made("resize", size=16, method=method), x)["image"]
    assert out.dtype == np.uint8 and abs(out.mean() - x.mean()) < 1


def test_enlarging_needs_no_antialiasing_and_shrinking_has_it():
    x = images(1)
    wanted = np.asarray(Image.fromarray(x[0]).resize((16, 12), Image.BILINEAR), int)
    assert np.abs(applied(made("resize", size=[12, 16]), x)["image"][0] - wanted).max() <= 1


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("random_crop", {"size": 33}, "random_crop: 33×33 does not fit into the image (24, 32, 3)"),
        ("center_crop", {"size": 25}, "center_crop: 25×25 does not fit into the image (24, 32, 3)"),
        ("scale_jitter", {"size": 300}, "scale_jitter: 300×300 does not fit into a short side of 256"),
        (
            "resized_center_crop",
            {"size": 300, "short": 256},
            "resized_center_crop: 300×300 does not fit into a short side of 256",
        ),
        (
            "resized_center_crop",
            {"size": 8, "short": 16, "share": 0.5},
            "resized_center_crop takes share or short, not both",
        ),
        ("normalize", {"mean": [1, 2]}, "normalize: mean has 2 values, the images are (24, 32, 3)"),
        (
            "random_resized_crop",
            {"size": 8, "area": [0.1, 1.5]},
            "random_resized_crop: area 1.5 is more than the image",
        ),
        ("pca_noise", {"axes": AXES["axes"]}, "pca_noise takes deviations and axes together"),
    ],
)
def test_refusals(name, arguments, message):
    with pytest.raises(TransformError) as refusal:
        infer(FEATURES, [made(name, **arguments)])
    assert refusal.value.message == message


@pytest.mark.parametrize("name", ["rand_augment", "aug_mix", "elastic", "mixup", "random_erasing", "center_crop"])
def test_what_needs_one_size_says_so(name):
    features = from_specs({"image": TensorSpec((None, None, 3), "uint8"), "label": TensorSpec((), "int32")}, classes=3)
    with refuses(TransformError):
        infer(features, [made(name)])


def test_what_needs_colors_says_so():
    grey = from_specs({"image": TensorSpec((8, 8, 1), "uint8")})
    for name in ("color_jitter", "pca_noise", "grayscale", "channel_shift", "rand_augment", "aug_mix"):
        with refuses(TransformError):
            infer(grey, [made(name)])
