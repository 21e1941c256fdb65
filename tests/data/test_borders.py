"""Weights between objects, against distances of all pixels from all pixels."""

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.data.example import Example
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.mask import Mask
from archspec.data.transform import TransformError, for_evaluation, infer
from archspec.data.transforms.borders import BorderWeights
from archspec.ir.tensors import TensorSpec
from tests.wording import refuses

Y, X = np.mgrid[:40, :60]


def disc(y, x, radius):
    return np.hypot(Y - y, X - x) <= radius


def by_hand(objects, free, w0, sigma):
    """From the distance of each pixel to each of every object."""
    places = [np.argwhere(one) for one in objects]
    out = np.zeros(free.shape)
    for y, x in np.argwhere(free):
        nearest = sorted(np.sqrt(((place - (y, x)) ** 2).sum(1).min()) for place in places)
        if len(nearest) > 1:
            out[y, x] = w0 * np.exp(-((nearest[0] + nearest[1]) ** 2) / (2 * sigma**2))
    return out


def test_weights_are_those_of_the_two_nearest_objects():
    """Of two classes, of which the second lies between none, and pixels without a class."""
    objects = [disc(18, 12, 8), disc(20, 31, 9), disc(33, 50, 5), disc(8, 50, 4)]
    mask = np.zeros((40, 60), np.uint8)
    for one, kind in zip(objects, (1, 1, 2, 1), strict=True):
        mask[one] = kind
    mask[36:, :9] = 255
    found = BorderWeights(w0=7, sigma=4).weights(mask)
    np.testing.assert_allclose(found, by_hand(objects, mask == 0, 7, 4), atol=1e-5)
    assert found.dtype == np.float32 and not found[mask != 0].any()


def test_the_weight_is_largest_where_two_discs_nearly_touch():
    mask = (disc(20, 15, 10) | disc(20, 38, 11)).astype(np.uint8)
    found = BorderWeights().weights(mask)
    assert np.unravel_index(found.argmax(), found.shape) == (20, 26)
    assert found[20, 26] == pytest.approx(10 * np.exp(-(2**2) / 50)) and found[:3].max() < 0.2
    assert not BorderWeights().weights(disc(20, 15, 10).astype(np.uint8)).any()


FEATURES = {
    "image": Image(TensorSpec((40, 60, 3), "uint8")),
    "label": Mask(TensorSpec((40, 60, 1), "uint8"), 2, ("ground", "disc"), 255),
}


@pytest.mark.tensorflow
def test_they_follow_the_image_and_are_not_there_in_evaluation():
    import tensorflow as tf

    from archspec.data.draw import Draw
    from archspec.data.transforms.geometry import Mirror

    steps = (BorderWeights(), Mirror(probability=1.0))
    mask = (disc(20, 15, 10) | disc(20, 38, 11)).astype(np.uint8)
    batch = {"image": tf.zeros((1, 40, 60, 3), tf.uint8), "label": tf.constant(mask[None, ..., None])}
    draw = Draw(0, "t", tf.zeros((1,), tf.int64), tf.zeros((1,), tf.int64))
    kinds = infer(Example(FEATURES), steps)
    for step, own in zip(steps, kinds, strict=False):
        batch = step.transform(batch, draw, own.features)
    assert kinds[-1].parts["border_weights"].shape == (40, 60, 1)
    np.testing.assert_allclose(batch["border_weights"][0, :, ::-1, 0], BorderWeights().weights(mask), atol=1e-6)
    assert for_evaluation(steps) == ()


def test_what_has_no_such_weights_is_refused():
    with refuses(TransformError):
        infer(Example({**FEATURES, "label": Label(3)}), [BorderWeights()])
    with refuses(TransformError):
        infer(Example(FEATURES), [BorderWeights(between=2)])
    with refuses(ValidationError):
        BorderWeights(sigma=0)
