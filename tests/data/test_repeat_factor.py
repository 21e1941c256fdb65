"""Images of rare classes come oftener, by LVIS's factors; a set of objects has no class of an image."""

import json

import numpy as np
import pytest
from PIL import Image

from archspec.data.sampler import Keys, Sampler, UnknownLabels, training_labels
from archspec.data.source import DataSource
from tests.wording import refuses


@pytest.fixture
def source(tmp_path):
    """Ten photos: all show class 1, one shows class 2 as well, and one more a crowd of it."""
    (tmp_path / "annotations").mkdir()
    (tmp_path / "train").mkdir()
    images, objects = [], []
    for i in range(10):
        Image.new("RGB", (40, 30)).save(tmp_path / "train" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": 40, "height": 30})
        for category, crowd in [(1, 0), *([(2, 0)] if i == 4 else [(2, 1)] if i == 7 else [])]:
            objects.append(
                {"id": len(objects), "image_id": i, "category_id": category, "iscrowd": crowd}
                | {"bbox": [2, 3, 10 + category, 12]}
            )
    document = {"images": images, "annotations": objects, "categories": [{"id": k, "name": f"c{k}"} for k in (1, 2)]}
    (tmp_path / "annotations" / "instances_train.json").write_text(json.dumps(document))
    return DataSource.find("coco").model_validate({"path": tmp_path})


def test_factors_are_the_square_root_of_how_rare_a_class_is(source):
    keys = Keys(source, source.features())
    count, sampler = keys.count, Sampler.find("repeat_factor").model_validate({"threshold": 0.4})
    factors = sampler.factors(keys)
    # Class 2 is on one image of all: √(0.4 · n / 1); class 1, on all of them, is not rare.
    want = np.ones(count)
    rare = [i for i, entry in enumerate(source.listing().splits["train"]) if entry.name.endswith("4.png")]
    want[rare] = np.sqrt(0.4 * count)
    assert np.allclose(factors, want) and len(rare) == 1


@pytest.mark.tensorflow
def test_images_are_drawn_as_often_as_their_factors_say(source):
    import tensorflow as tf

    keys = Keys(source, source.features())
    sampler = Sampler.find("repeat_factor").model_validate({"threshold": 0.9})
    order = tf.function(sampler.order(keys, 100, 5))
    drawn = np.concatenate([order(tf.constant(step, tf.int64)).numpy() for step in range(40)])
    factors = sampler.factors(keys)
    counts = np.bincount(drawn, minlength=keys.count)
    assert np.allclose(counts / counts.sum(), factors / factors.sum(), atol=0.03) and sampler.steps(keys, 2) > 0


def test_classes_of_objects_are_no_class_of_an_image(source):
    with refuses(UnknownLabels):
        training_labels(source)
