"""Windows over whole images: against one convolution of the whole image, and against what pixels say by themselves."""

import numpy as np
import pytest
from scipy.signal import correlate2d

pytestmark = pytest.mark.tensorflow
SIZES = [(24, 24), (40, 57), (61, 24), (7, 90), (5, 3)]


def convolved(kernel):
    """A network without padding: the sum of each pixel's surroundings, once as it is and once negated."""

    def scores(images):
        found = np.stack([correlate2d(image[..., 0], kernel, "valid") for image in images])
        return np.stack([found, -found], -1)

    return scores


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("size", SIZES)
def test_windows_of_a_convolution_are_the_convolution_of_the_mirrored_image(size, overlap):
    from archspec.tasks.segmentation.windows import Windows

    random = np.random.default_rng(size)
    image, kernel = random.normal(size=(*size, 1)).astype(np.float32), random.normal(size=(5, 3))
    found = Windows((24, 20), (20, 18), overlap)(convolved(kernel), image)
    whole = correlate2d(np.pad(image[..., 0], ((2, 2), (1, 1)), "symmetric"), kernel, "valid")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.stack([whole, -whole], -1), atol=1e-4)


def test_a_pixel_near_the_edge_of_a_window_counts_less():
    """Two windows of ten rows over fifteen say 0 and 1: from the fifth row to the tenth the one becomes the other."""
    from archspec.tasks.segmentation.windows import Windows

    asked = []

    def scores(images):
        asked.append(len(images))
        return np.concatenate([np.full((1, 10, 4, 1), k, np.float32) for k in range(len(images))])

    found = Windows((10, 4), (10, 4), 0.25)(scores, np.zeros((15, 4, 3), np.float32))[:, 2, 0]
    assert asked == [2] and (found[:5] == 0).all() and (found[10:] == 1).all()
    np.testing.assert_allclose(found[5:10], np.arange(1, 6) / (np.arange(1, 6) + np.arange(5, 0, -1)))


def test_many_windows_are_asked_about_few_at_a_time():
    from archspec.tasks.segmentation.windows import TOGETHER, Windows

    asked = []

    def scores(images):
        asked.append(len(images))
        return images

    image = np.random.default_rng(0).uniform(size=(90, 90, 1)).astype(np.float32)
    found = Windows((16, 16), (16, 16))(scores, image)
    np.testing.assert_allclose(found, image, atol=1e-6)
    assert sum(asked) == 64 and max(asked) == TOGETHER


def test_the_mirror_image_is_turned_back():
    from archspec.tasks.segmentation.windows import Looks, Windows

    ramp = np.tile(np.arange(12, dtype=np.float32)[None, :, None], (10, 1, 1))
    place = lambda images: images + ramp[None]  # noqa: E731  what it says depends on where in the window
    image = np.random.default_rng(1).uniform(size=(10, 12, 1)).astype(np.float32)
    found = Looks(Windows((10, 12), (10, 12)), is_mirrored=True)(place, image)
    np.testing.assert_allclose(found, image + 5.5, atol=1e-5)


def test_scales_are_brought_back_to_the_size_of_the_image():
    from archspec.tasks.segmentation.windows import Looks, Windows

    seen = []

    def scores(images):
        seen.append(images.shape[1:3])
        return images

    y, x = np.mgrid[:40, :60]
    image = np.stack([np.sin(y / 9), np.cos(x / 7)], -1).astype(np.float32)
    found = Looks(Windows((80, 120), (80, 120)), scales=(20, 40, 80))(scores, image)
    assert found.shape == image.shape
    np.testing.assert_allclose(found[4:-4, 4:-4], image[4:-4, 4:-4], atol=0.01)
