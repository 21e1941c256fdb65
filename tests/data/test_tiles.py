"""Tiles of images of any size, against NumPy's mirrored ones."""

import numpy as np
import pytest

from archspec.data.example import Example
from archspec.data.features.boxes import Boxes
from archspec.data.features.image import Image
from archspec.data.features.mask import Mask
from archspec.data.features.points import Points
from archspec.data.transform import Transform, TransformError, infer
from archspec.ir.tensors import TensorSpec
from tests.wording import refuses

FEATURES = {
    "image": Image(TensorSpec((None, None, 2), "uint8")),
    "mask": Mask(TensorSpec((None, None, 1), "uint8"), ignored=255),
    "points": Points(1),
}


def made(name, **arguments):
    return Transform.find(name).model_validate(arguments)


def taken(step, image, count):
    """Tiles of one image, each with its mask and the place that the image's first corner has in it."""
    import tensorflow as tf

    from archspec.data.draw import Draw

    draw = Draw(4, "t", tf.zeros((count,), tf.int64), tf.range(count, dtype=tf.int64))
    rows = np.tile(image[None], (count, 1, 1, 1))
    batch = {"image": rows, "mask": rows[..., :1] // 2, "points": np.zeros((count, 1, 2), np.float32)}
    out = step.transform({name: tf.constant(value) for name, value in batch.items()}, draw, FEATURES)
    return [{name: value[k].numpy() for name, value in out.items()} for k in range(count)]


@pytest.mark.tensorflow
@pytest.mark.parametrize("size", [(24, 40), (16, 12), (9, 50), (5, 3)])
def test_a_tile_is_a_window_of_the_mirrored_image(size):
    image = np.random.default_rng(size).integers(0, 256, (*size, 2), np.uint8)
    wide = np.pad(image, ((40, 40), (40, 40), (0, 0)), "symmetric")
    starts = set()
    for one in taken(made("random_tile", size=[16, 12], margin=3), image, 60):
        left, top = -one["points"][0]
        window = wide[40 + int(top) : 56 + int(top), 40 + int(left) : 52 + int(left)]
        np.testing.assert_array_equal(one["image"], window)
        np.testing.assert_array_equal(one["mask"], window[..., :1] // 2)
        # Within the margins it stays in an image that is large enough.
        for at, whole, side in ((top, size[0], 16), (left, size[1], 12)):
            inner = side - 6
            assert -3 <= at <= whole - inner - 3 if whole >= inner else at == (whole - inner) // 2 - 3
        starts.add((top, left))
    places = np.prod([max(0, whole - side + 6) + 1 for whole, side in zip(size, (16, 12), strict=True)])
    assert len(starts) > min(places, 60) / 3
    (middle,) = taken(made("center_tile", size=[16, 12]), image, 1)
    top, left = ((whole - side) // 2 for whole, side in zip(size, (16, 12), strict=True))
    np.testing.assert_array_equal(middle["image"], wide[40 + top : 56 + top, 40 + left : 52 + left])


def test_images_of_any_size_become_tiles_of_one():
    said = infer(Example(FEATURES), [made("random_tile", size=[16, 12])])[-1]
    assert said.image.shape == (16, 12, 2) and said.features["mask"].spec.shape == (16, 12, 1)


def test_what_would_be_nothing_or_wrong_is_refused():
    with refuses(TransformError):
        infer(Example(FEATURES), [made("random_tile", size=16, margin=8)])
    with refuses(TransformError):
        infer(Example({**FEATURES, "boxes": Boxes(2)}), [made("random_tile", size=16)])
