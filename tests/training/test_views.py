"""Looks at constructed images, where what each must hold is known."""

import numpy as np
import pytest

from archspec.data.draw import Draw
from archspec.data.example import IMAGE, from_specs
from archspec.data.transforms.crops import CenterCrop, ResizedCenterCrop
from archspec.data.transforms.geometry import Resize
from archspec.data.transforms.intensity import Rescale
from archspec.ir.tensors import TensorSpec
from archspec.training.task import TaskError
from archspec.training.views import ShortSide, scaled, views
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


def looked(image, steps):
    import tensorflow as tf

    batch, zero = {IMAGE: tf.constant(image)}, tf.zeros((len(image),), tf.int64)
    for step in steps:
        batch = step.apply(batch, Draw(0, "", zero, zero))
    return np.asarray(batch[IMAGE])[0, :, :, 0]


@pytest.fixture
def image():
    """Every pixel says where it is: 10 · row + column, of 6 rows and 8 columns."""
    rows, columns = np.mgrid[:6, :8]
    return (10 * rows + columns)[None, :, :, None].astype("uint8")


def test_ten_crops_are_corners_middle_and_their_mirrors(image):
    found = [looked(image, steps) for steps in views([CenterCrop(size=(4, 4))], "ten_crop")]
    starts = [part[0, 0] for part in found[::2]]
    assert starts == [0, 4, 20, 24, 12]
    assert {part.shape for part in found} == {(4, 4)}
    for part, mirrored in zip(found[::2], found[1::2], strict=True):
        np.testing.assert_array_equal(mirrored, part[:, ::-1])
    np.testing.assert_array_equal(found[8], looked(image, [CenterCrop(size=(4, 4))]))


def test_what_stands_around_the_crop_stays(image):
    steps = [CenterCrop(size=(4, 4)), Rescale()]
    for look, plain in zip(views(steps, "ten_crop"), views(steps[:1], "ten_crop"), strict=True):
        np.testing.assert_allclose(looked(image, look), looked(image, plain) / 255)


def test_flips_are_the_image_and_its_mirror(image):
    plain, mirrored = (looked(image, steps) for steps in views([Rescale()], "flip"))
    np.testing.assert_array_equal(plain[:, ::-1], mirrored)


def test_ten_crops_without_a_crop_are_refused():
    with refuses(TaskError):
        views([Rescale()], "ten_crop")


def test_scales_stand_in_place_of_what_sizes_an_image(image):
    steady = [Resize(size=(4, 4)), CenterCrop(size=(3, 3)), Rescale()]
    cut = scaled(steady, (12, 6), (3, 3), dense=False)
    assert [[step.name or type(step).__name__ for step in steps] for steps in cut] == [
        ["ShortSide", "center_crop", "rescale"]
    ] * 2
    assert [looked(image, steps).shape for steps in cut] == [(3, 3), (3, 3)]
    whole = scaled(steady, (12, 6), (3, 3), dense=True)
    assert [looked(image, steps).shape for steps in whole] == [(12, 16), (6, 8)]
    # At the image's own size nothing is resampled: the middle, and all of it.
    np.testing.assert_array_equal(looked(image, cut[1][:-1]), image[0, 1:4, 2:5, 0])
    np.testing.assert_array_equal(looked(image, whole[1][:-1]), image[0, :, :, 0])


def test_dense_without_scales_leaves_out_only_what_cuts_off():
    steady = [Resize(size=(8, 8)), CenterCrop(size=(6, 6)), Rescale()]
    assert scaled(steady, (), (6, 6), dense=True) == [(steady[0], steady[2])]
    assert scaled(steady, (), (6, 6), dense=False) == [tuple(steady)]
    uncut = scaled([ResizedCenterCrop(size=(224, 224))], (), (224, 224), dense=True)
    assert uncut == [(ShortSide(length=256),)]


def test_the_long_side_is_known_where_the_image_s_size_is():
    image = {IMAGE: TensorSpec((375, 500, 3), "uint8")}
    assert ShortSide(length=256).infer(from_specs(image)).image.shape == (256, 341, 3)
    image = {IMAGE: TensorSpec((None, None, 3), "uint8")}
    assert ShortSide(length=256).infer(from_specs(image)).image.shape == (None, None, 3)


def test_a_scale_below_the_network_s_size_is_refused():
    with refuses(TaskError):
        scaled([Rescale()], (8, 5), (6, 6), dense=False)
