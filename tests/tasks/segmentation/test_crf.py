"""Mean field of the dense CRF: against sums over all pairs of pixels by hand, and what it makes of noisy discs."""

import argparse

import numpy as np
import pytest

from archspec.training.looking import Crf
from tests.wording import refuses

RANDOM = np.random.default_rng(2)
FEW = Crf(iterations=5, appearance=4, appearance_xy=6, appearance_rgb=20, smoothness=3, smoothness_xy=1.5)


def scene(height, width, noise=6):
    """A disc on ground of another colour, and which pixels are on it."""
    y, x = np.mgrid[:height, :width]
    disc = np.hypot(y - height / 2, x - width / 2.2) < min(height, width) / 3
    colours = np.where(disc[..., None], (190, 90, 60), (90, 120, 150)) + RANDOM.normal(0, noise, (height, width, 3))
    return np.clip(np.rint(colours), 0, 255).astype(np.uint8), disc


def weak(disc, deviation=0.25):
    """What a network might say of it that is right at two thirds of the pixels or so."""
    one = np.clip(np.where(disc, 0.6, 0.4) + RANDOM.normal(0, deviation, disc.shape), 0.02, 0.98)
    return np.stack([1 - one, one], -1)


def by_hand(probabilities, colours, crf):
    """Pair by pair, in float64."""
    height, width, classes = probabilities.shape
    places = np.array([(y, x) for y in range(height) for x in range(width)], float)
    shades = colours.reshape(len(places), -1).astype(float)
    given = np.log(np.clip(probabilities.reshape(len(places), -1).astype(float), 1e-5, 1))
    total = np.zeros((len(places), len(places)))
    for weight, xy, rgb in (
        (crf.appearance, crf.appearance_xy, crf.appearance_rgb),
        (crf.smoothness, crf.smoothness_xy, np.inf),
    ):
        kernel = np.empty_like(total)
        for i in range(len(places)):
            far, unlike = ((one - one[i]) ** 2 for one in (places, shades))
            kernel[i] = np.exp(-far.sum(1) / (2 * xy**2) - unlike.sum(1) / (2 * rgb**2))
        total += weight * kernel / np.sqrt(np.outer(kernel.sum(0), kernel.sum(0)))
    said = np.exp(given) / np.exp(given).sum(1, keepdims=True)
    for _ in range(crf.iterations):
        # Potts: what is said of other classes counts against a class.
        against = np.stack([total @ (1 - said[:, k]) for k in range(classes)], 1)
        scores = np.exp(given - against)
        said = scores / scores.sum(1, keepdims=True)
    return said.reshape(probabilities.shape)


@pytest.mark.parametrize(("channels", "crf"), [(3, FEW), (1, FEW), (3, Crf(iterations=2))])
def test_the_mean_field_is_the_sum_over_all_pairs(channels, crf):
    from archspec.tasks.segmentation.crf import dense_crf

    colours = scene(8, 8)[0][..., :channels]
    probabilities = RANDOM.dirichlet((1, 1, 1), (8, 8)).astype(np.float32)
    found = dense_crf(probabilities, colours, crf)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, by_hand(probabilities, colours, crf), atol=1e-5)


def test_the_gaussian_is_that_of_all_pairs_of_an_image_narrower_than_it():
    from archspec.tasks.segmentation.crf import gaussian

    values = RANDOM.normal(size=(3, 20, 2)).astype(np.float32)
    y, x = (axis.reshape(-1) for axis in np.mgrid[:3, :20])
    kernel = np.exp(-((y[:, None] - y) ** 2 + (x[:, None] - x) ** 2) / (2 * 1.7**2))
    np.testing.assert_allclose(gaussian(1.7)(values), (kernel @ values.reshape(60, 2)).reshape(3, 20, 2), atol=1e-5)


@pytest.mark.parametrize("crf", [FEW, Crf()])
def test_the_lattice_is_near_the_sum_over_all_pairs(crf):
    from archspec.tasks.segmentation import crf as made

    colours, _ = scene(40, 30)
    size, values = (40, 30), RANDOM.uniform(size=(40, 30, 2)).astype(np.float32)
    points = made.features(colours, crf)
    flat = points.reshape(-1, 5).astype(float)
    kernel = np.exp(-((flat[:, None] - flat) ** 2).sum(-1) / 2)
    root = np.sqrt(kernel.sum(0))
    true = ((kernel / np.outer(root, root)) @ values.reshape(-1, 2)).reshape(values.shape)
    exact, near = (made.normalised(one(points), size)(values) for one in (made.exact, made.lattice))
    np.testing.assert_allclose(exact, true, atol=1e-4)
    assert np.abs(near - true).mean() < 0.05 * true.mean()


PYDENSECRF = """
0.0495454 0.0551518 0.8953028
0.0411302 0.0825639 0.8763059
0.0122163 0.0401923 0.9475914
0.0388144 0.0396450 0.9215405
0.0119778 0.0161200 0.9719021
0.0057431 0.0213743 0.9728827
0.0132332 0.0076936 0.9790733
0.0065271 0.0036144 0.9898584
"""
"""Pixels of the diagonal, by DenseCRF2D of pydensecrf 1.0rc3 (addPairwiseBilateral alone, PottsCompatibility(4))."""


def test_by_the_lattice_the_mean_field_is_that_of_pydensecrf(monkeypatch):
    from archspec.tasks.segmentation import crf as made

    monkeypatch.setattr(made, "EXACT", 0)
    y, x, c = np.mgrid[:8, :8, :3]
    colours = ((y * 31 + x * 17 + c * 40 + (x * y * 7) % 13) % 256).astype(np.uint8)
    i = np.arange(64).reshape(8, 8)
    said = np.stack([1 + i * 7 % 5, 1 + i * 3 % 7, 1 + i * 5 % 11], -1).astype(float)
    crf = Crf(iterations=5, appearance=4, appearance_xy=7.3, appearance_rgb=61.7, smoothness=0)
    found = made.dense_crf(said / said.sum(-1, keepdims=True), colours, crf)
    expected = np.array(PYDENSECRF.split(), float).reshape(8, 3)
    np.testing.assert_allclose(np.diagonal(found).T, expected, atol=2e-6)


def test_above_96_by_96_pixels_the_lattice_stands_in_for_the_sum(monkeypatch):
    from archspec.tasks.segmentation import crf as made

    assert made.EXACT == 96 * 96
    colours, disc = scene(30, 40)
    said = weak(disc)
    exact = made.dense_crf(said, colours, Crf())
    monkeypatch.setattr(made, "EXACT", 30 * 40 - 1)
    near = made.dense_crf(said, colours, Crf())
    assert not np.array_equal(exact, near)
    assert (exact.argmax(-1) == near.argmax(-1)).mean() > 0.99
    before, after = ((one.argmax(-1) != disc).mean() for one in (said, near))
    assert before > 0.2 and after < 0.8 * before


def test_without_weights_nothing_is_heard():
    from archspec.tasks.segmentation.crf import dense_crf

    colours, disc = scene(6, 7)
    said = weak(disc)
    found = dense_crf(said, colours, Crf(appearance=0, smoothness=0))
    np.testing.assert_allclose(found, said, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "crf"),
    [
        ("iterations=5", Crf(iterations=5)),
        ("appearance_xy=30, appearance_rgb=8.5", Crf(appearance_xy=30, appearance_rgb=8.5)),
        ("runs/net/1", None),
        ("iterations=2.5", None),
        ("iterations=0", None),
        ("smoothness=-1", None),
        ("smoothness_xy=0", None),
        ("smoothness=nan", None),
        ("iterations=5,iterations=6", None),
        ("theta=3", None),
        ("appearance=", None),
    ],
)
def test_numbers_of_the_crf_are_given_by_name(text, crf):
    from archspec.cli._arguments import Parser, add_looks

    parser = Parser(exit_on_error=False)
    add_looks(parser)
    if crf is not None:
        assert parser.parse_args(["--crf", text]).crf == crf
        return
    with refuses(argparse.ArgumentError):
        parser.parse_args(["--crf", text])
