"""Batches without TensorFlow: as TensorFlow makes them."""

import numpy as np
import pytest

from archspec.data import numpy_pipeline
from archspec.data.draw import Draw
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL
from archspec.data.pipeline import Pipeline
from archspec.data.source import DataSource
from archspec.data.transform import Transform, TransformError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


def digits(*augment, batch=32, seed=5):
    source = DataSource.find("digits")()
    return Pipeline(source, source.features(), augment, augment, batch, seed)


def transform(name, **arguments):
    return Transform.find(name)(**arguments)


@pytest.mark.parametrize("size", [1, 2, 3, 1437, 65536, 65537, 65538, 262146, 1_281_167, 2**33 + 5])
@pytest.mark.parametrize(("seed", "number"), [(0, 0), (2**31 - 1, 2**40 + 7), (3, ~12)])
def test_the_permutation_is_that_of_tensorflow(size, seed, number):
    import tensorflow as tf

    position = np.arange(min(size, 100))
    want = tf.random.experimental.index_shuffle(
        position, tf.constant([seed, number], tf.int64), tf.constant(size - 1, tf.int64)
    )
    np.testing.assert_array_equal(numpy_pipeline.shuffled(position, seed, number, size), want)


def test_every_example_stands_once_in_the_permutation():
    assert sorted(numpy_pipeline.shuffled(np.arange(1437), 7, 2, 1437)) == list(range(1437))


def through_tensorflow(step, image):
    import tensorflow as tf

    zero = tf.zeros((len(image),), tf.int64)
    return step.apply({IMAGE: tf.constant(image)}, Draw(0, "", zero, zero))[IMAGE]


@pytest.mark.parametrize("have", [(8, 8), (9, 13)])
@pytest.mark.parametrize("want", [(32, 32), (5, 20), (4, 4), (3, 7), (8, 8)])
@pytest.mark.parametrize("settings", [{}, {"antialias": False}, {"method": "nearest"}])
def test_images_are_resized_as_by_tensorflow(have, want, settings):
    image = np.random.default_rng(0).integers(0, 256, (2, *have, 3)).astype(np.float32)
    step = transform("resize", size=list(want), **settings)
    found = step.on_arrays(image)
    np.testing.assert_allclose(found, through_tensorflow(step, image), atol=2e-3)


STEPS = {
    "rescale": {"low": -1.0},
    "normalize": {"mean": 3.0, "std": [2.0]},
    "standardize": {},
}


@pytest.mark.parametrize("name", STEPS)
def test_values_are_those_of_tensorflow(name):
    image = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 2)).astype(np.uint8)
    image[2] = 7
    step = transform(name, **STEPS[name])
    found = step.on_arrays(image)
    np.testing.assert_allclose(found, through_tensorflow(step, image), rtol=1e-5, atol=1e-5)
    assert found.dtype == np.float32


def without_tensorflow(monkeypatch, make, *args, **kwargs):
    """What a pipeline gives where TensorFlow cannot be imported."""
    with monkeypatch.context() as patched:
        patched.setattr("archspec.data.pipeline.has_tensorflow", lambda: False)
        return make(*args, **kwargs)


def numbered(batch):
    return batch[IMAGE], (batch[LABEL], batch["epoch"], batch["index"])


def test_batches_are_those_of_the_pipeline(monkeypatch):
    pipeline = digits(transform("resize", size=16), transform("normalize", mean="data", std="data"))
    for shard, first in (((0, 1), 0), ((1, 2), 40)):
        want = pipeline.training(numbered, first_step=first, shard=shard)
        found = without_tensorflow(monkeypatch, pipeline.training, numbered, first_step=first, shard=shard)
        for (a, rest), (b, others) in zip(found, want.take(60), strict=False):
            np.testing.assert_allclose(a, b, atol=1e-5)
            for one, other in zip(rest, others, strict=True):
                np.testing.assert_array_equal(one, other)
            if rest[1][0] == 2:
                break
    want = pipeline.evaluation("test", numbered)
    found = without_tensorflow(monkeypatch, pipeline.evaluation, "test", numbered, batch=32)
    assert len(list(want)) == found.num_batches == 12
    for (a, _), (b, _) in zip(found, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_what_needs_tensorflow_is_refused_with_its_place():
    with refuses(TransformError) as caught:
        digits(transform("rescale"), transform("shift", share=0.1)).check_without_tensorflow()
    assert caught.value.position == 1
    with refuses(TransformError):
        digits(transform("resize", size=16, method="bicubic")).check_without_tensorflow()


def test_files_need_tensorflow(tmp_path):
    from PIL import Image

    for split in ("train", "val"):
        for name in "ab":
            (tmp_path / split / name).mkdir(parents=True)
            Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / split / name / "x.png")
    source = DataSource.find("folder")(path=tmp_path)
    with refuses(DataError):
        Pipeline(source, source.features(), (), (), 2, 0).check_without_tensorflow()
