"""Regions that may hold an object: those of made-up pictures are among them, and they follow the image."""

import numpy as np
import pytest

from archspec.data.merging import merged, proposals
from archspec.data.overlap import overlaps
from archspec.data.sources.scenes import Scenes
from archspec.data.transform import TransformError, infer
from archspec.data.transforms.geometry import Mirror
from archspec.data.transforms.intensity import Rescale
from archspec.data.transforms.proposals import Propose
from tests.wording import refuses

pytest.importorskip("skimage")
STEP = Propose(count=100, least=6)


def test_objects_are_among_the_proposals():
    """The overlap that R-CNN counts as found, .5, of all objects of ten pictures."""
    pictures = Scenes(train=10, test=1).arrays("train")
    for image, boxes in zip(pictures["image"], pictures["boxes"], strict=True):
        found = proposals(image, 200, scales=(50.0, 100.0), sigma=0.8, least=6)
        true = boxes[boxes[:, 2] > 0]
        assert overlaps(true, found).max(1).min() >= 0.5
        assert not found[(found[:, 2:] - found[:, :2]).min(1) < 6].any()
        assert len(np.unique(found[found[:, 2] > 0], axis=0)) == (found[:, 2] > 0).sum()


def test_the_most_alike_merge_first():
    """Two halves of a bright square, then that with the dark ground."""
    segments = np.zeros((12, 12), int)
    segments[3:6, 3:9], segments[6:9, 3:9] = 1, 2
    image = np.repeat((segments > 0)[..., None] * 0.9, 3, 2)
    *_, square, whole = (region.box for region in merged(image, segments))
    assert square == (3, 3, 9, 9) and whole == (0, 0, 12, 12)


@pytest.mark.tensorflow
def test_proposals_follow_the_image():
    import tensorflow as tf

    from archspec.data.draw import Draw

    source = Scenes(train=2, test=1)
    pictures = source.arrays("train")
    batch = {name: tf.constant(values) for name, values in pictures.items()}
    draw = Draw(0, "t", tf.zeros((2,), tf.int64), tf.range(2, dtype=tf.int64))
    steps = (STEP, Mirror(probability=1.0))
    for step, own in zip(steps, infer(source.features(), steps), strict=False):
        batch = step.transform(batch, draw, own.features)
    straight = np.stack([proposals(x, 100, scales=(50.0, 100.0), sigma=0.8, least=6) for x in pictures["image"]])
    is_there = straight[..., 2] > 0
    turned = np.where(is_there[..., None], 64 - straight[..., [2, 1, 0, 3]], 0)
    turned[..., [1, 3]] = straight[..., [1, 3]]
    np.testing.assert_array_equal(batch["regions"], turned)


def test_images_that_have_been_scaled_are_refused():
    with refuses(TransformError):
        infer(Scenes(train=2, test=1).features(), (Rescale(), STEP))
