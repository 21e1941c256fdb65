"""Looks at constructed images, where what each must hold is known."""

import numpy as np
import pytest

from archspec.data.source import IMAGE
from archspec.data.transforms.crops import CenterCrop
from archspec.data.transforms.intensity import Rescale
from archspec.tasks.classification.views import views
from archspec.training.task import TaskError

pytestmark = pytest.mark.tensorflow


def looked(image, steps):
    batch = {IMAGE: image}
    for step in steps:
        batch = step.apply(batch, None)
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
    with pytest.raises(TaskError, match="needs images larger than the network's"):
        views([Rescale()], "ten_crop")
