"""Two examples become one, and all that lies in them follows: counted pixel by pixel, by NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from archspec.data.blending import blend, blended
from archspec.data.draw import Draw
from archspec.data.example import Example
from archspec.data.features.boxes import Boxes
from archspec.data.features.identity import Identity
from archspec.data.features.image import Image
from archspec.data.features.label import Label
from archspec.data.features.labels import Labels
from archspec.data.features.mask import Mask
from archspec.data.features.numbers import Numbers
from archspec.data.features.points import Points
from archspec.data.features.polygons import Polygons
from archspec.data.features.row_numbers import RowNumbers
from archspec.data.features.tokens import Tokens
from archspec.data.region import Region
from archspec.data.transform import Transform, TransformError, infer
from archspec.ir.tensors import TensorSpec
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
HEIGHT, WIDTH = 30, 40
OBJECTS = {
    "image": Image(TensorSpec((HEIGHT, WIDTH, 3), "uint8")),
    "boxes": Boxes(3),
    "classes": Labels(3, 9, rows="object"),
    "areas": RowNumbers(3),
    "points": Points(2, 3, rows="object"),
    "polygons": Polygons(3, 4),
}


def objects(rng):
    """Three objects of whole pixels in each of 40 images; now and then there are only two."""
    low = rng.integers(0, (WIDTH - 12, HEIGHT - 12), (40, 3, 2))
    boxes = np.concatenate([low, low + rng.integers(2, 12, (40, 3, 2))], -1).astype(np.float32)
    classes = rng.integers(0, 9, (40, 3)).astype(np.int32)
    none = np.arange(40) % 4 == 0
    boxes[none, 2], classes[none, 2] = 0, -1
    x1, y1, x2, y2 = np.moveaxis(boxes, -1, 0)
    outlines = np.stack([np.stack(p, -1) for p in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))], -2)
    parts = {
        "image": rng.integers(0, 256, (40, HEIGHT, WIDTH, 3)).astype(np.uint8),
        "boxes": boxes,
        "classes": classes,
        "areas": (x2 - x1) * (y2 - y1),
        "points": np.stack([boxes[..., :2], boxes[..., 2:]], -2),
        "polygons": outlines,
    }
    return {name: tf.constant(value) for name, value in parts.items()}


def test_of_two_examples_the_objects_stay_that_are_still_to_be_seen():
    rng = np.random.default_rng(7)
    first, second = objects(rng), objects(rng)
    ours = rng.random((40, HEIGHT // 5, WIDTH // 5)) < 0.4
    ours = np.kron(ours, np.ones((5, 5), bool))
    region = Region(tf.constant(ours[..., None]), tf.constant(ours.mean((1, 2)), tf.float32))
    out = {name: value.numpy() for name, value in blend(first, second, OBJECTS, region).items()}
    assert np.array_equal(out["image"], np.where(ours[..., None], first["image"], second["image"]))
    dropped = 0
    for i in range(40):
        wanted = []
        for parts, mine in ((first, ours[i]), (second, ~ours[i])):
            for k in range(3):
                x1, y1, x2, y2 = parts["boxes"][i, k].numpy().astype(int)
                pixels = mine[y1:y2, x1:x2]
                is_seen = pixels.size > 0 and pixels.mean() >= 0.1
                dropped += not is_seen and pixels.size > 0
                wanted += [{n: v[i, k].numpy() for n, v in parts.items() if n != "image"}] if is_seen else []
        for name in set(OBJECTS) - {"image"}:
            rows, fill = out[name][i], OBJECTS[name].fill
            assert len(rows) == 6 and (rows[len(wanted) :] == fill).all()
            for row, want in zip(rows, wanted, strict=False):
                assert np.array_equal(row, want[name])
    assert dropped > 5


def test_an_object_stays_where_all_that_is_known_of_it_is_still_to_be_seen():
    parts = {name: value[:1] for name, value in objects(np.random.default_rng(0)).items()}
    parts["boxes"] = tf.constant([[[0, 0, 20, 20]] * 3], tf.float32)
    corner = [[0, 0], [2, 0], [2, 2], [0, 2]]
    parts["polygons"] = tf.constant([[corner, [[0, 0], [20, 0], [20, 20], [0, 20]], corner]], tf.float32)
    seen = np.ones((1, HEIGHT, WIDTH), bool)
    seen[:, :4, :4] = False
    region = Region(tf.constant(seen[..., None]), tf.constant(seen.mean((1, 2)), tf.float32))
    out = blend(parts, parts, OBJECTS, region)
    # Of the first the large outline; of the second no box is seen by a tenth, but those of its corner's outlines are.
    assert (out["boxes"].numpy().any(-1)).sum() == 1
    assert np.array_equal(out["polygons"].numpy()[0, 0], parts["polygons"].numpy()[0, 1])


def test_what_an_example_is_that_is_made_of_two():
    made = blended(Example(OBJECTS), Example(OBJECTS), is_mean=True)
    assert {name: spec.shape[0] for name, spec in made.parts.items() if name != "image"} == dict.fromkeys(
        set(OBJECTS) - {"image"}, 6
    )
    varied = blended(Example({"boxes": Boxes(None)}), Example({"boxes": Boxes(4)}), is_mean=False)
    assert varied.parts["boxes"].shape == (None, 4)


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_takes_boxes_along(name):
    batch = objects(np.random.default_rng(2))
    (before, after) = infer(Example(OBJECTS), [step := Transform.find(name).model_validate({})])
    out = step.transform(batch, Draw(1, name, tf.zeros(40, tf.int64), tf.range(40, dtype=tf.int64)), before.features)
    assert {n: tuple(v.shape[1:]) for n, v in out.items()} == {n: spec.shape for n, spec in after.parts.items()}
    count = (out["classes"].numpy() >= 0).sum(1)
    both = (batch["classes"].numpy() >= 0).sum(1).reshape(-1, 2).sum(1).repeat(2)
    assert (count == both).all() if name == "mixup" else (count <= both).all() and count.sum() < both.sum()


def test_cutmix_puts_the_same_place_of_the_other_mask_there():
    features = {
        "image": Image(TensorSpec((HEIGHT, WIDTH, 1), "uint8")),
        "label": Mask(TensorSpec((HEIGHT, WIDTH, 1), "int32"), 5),
    }
    mask = np.random.default_rng(0).integers(0, 5, (8, HEIGHT, WIDTH, 1)).astype(np.int32)
    batch = {"image": tf.constant(mask.astype(np.uint8) * 40), "label": tf.constant(mask)}
    (before, after) = infer(Example(features), [step := Transform.find("cutmix").model_validate({})])
    assert after.parts == before.parts
    out = step.transform(batch, Draw(1, "c", tf.zeros(8, tf.int64), tf.range(8, dtype=tf.int64)), before.features)
    assert np.array_equal(out["image"].numpy(), out["label"].numpy() * 40)
    assert (out["label"].numpy() != mask).any()


def test_numbers_are_means_by_share():
    value = tf.constant([[1.0, 10.0], [3.0, 20.0]])
    region = Region(tf.constant([0.75, 0.5])[:, None, None, None], tf.constant([0.75, 0.5]))
    mean = Numbers(("a", "b")).blend(value, value[::-1], region).numpy()
    np.testing.assert_allclose(mean, [[1.5, 12.5], [2.0, 15.0]])


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("who", Identity(4)),
        ("text", Tokens(None, 7)),
        ("steps", Labels(7, 3)),
        ("landmarks", Points(5)),
        ("kind", Label(None)),
        ("colour", Label(3)),
        ("label", Mask(TensorSpec((HEIGHT, WIDTH, 1), "int32"), 3)),
        ("other", Image(TensorSpec((HEIGHT, WIDTH, 3), "uint8"))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_two_examples_cannot_share_is_refused(part, kind):
    features = {"image": OBJECTS["image"], part: kind}
    with refuses(TransformError):
        infer(Example(features), [Transform.find("mixup").model_validate({})])
