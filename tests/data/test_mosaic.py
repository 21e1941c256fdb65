"""Pictures joined of several: each example is painted in numbers of its own, so that what is whose can be counted."""

import numpy as np
import pytest
import tensorflow as tf

from archspec.data.draw import Draw
from archspec.data.example import Example
from archspec.data.features.boxes import Boxes
from archspec.data.features.image import Image
from archspec.data.features.labels import Labels
from archspec.data.features.mask import Mask
from archspec.data.transform import Transform, TransformError, for_evaluation, infer
from archspec.ir.tensors import TensorSpec
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
COUNT, HEIGHT, WIDTH = 64, 48, 64
FEATURES = {
    "image": Image(TensorSpec((HEIGHT, WIDTH, 1), "uint8")),
    "mask": Mask(TensorSpec((HEIGHT, WIDTH, 1), "int32"), ignored=255),
    "boxes": Boxes(2),
    "labels": Labels(2, rows="object"),
}


def made(name, **arguments):
    return Transform.find(name).model_validate(arguments)


def examples():
    """Two rectangles, left and right, in each of ``COUNT`` pictures; the k-th of picture i is number 2·i + k + 1."""
    rng = np.random.default_rng(0)
    size = rng.integers(8, 22, (COUNT, 2, 2))
    start = rng.integers(0, [WIDTH // 2 - 22, HEIGHT - 22], (COUNT, 2, 2))
    start[:, 1, 0] += WIDTH // 2
    boxes = np.concatenate([start, start + size], -1)
    mask = np.zeros((COUNT, HEIGHT, WIDTH, 1), np.int32)
    for i, pair in enumerate(boxes):
        for k, (x1, y1, x2, y2) in enumerate(pair):
            mask[i, y1:y2, x1:x2] = 2 * i + k + 1
    labels = np.arange(1, 2 * COUNT + 1, dtype=np.int32).reshape(COUNT, 2)
    batch = {"image": mask.astype(np.uint8), "mask": mask, "boxes": boxes.astype(np.float32), "labels": labels}
    return {name: tf.constant(value) for name, value in batch.items()}


def joined(step, batch, epoch=0):
    index = tf.range(len(batch["image"]), dtype=tf.int64)
    at = {**batch, "epoch": tf.fill(index.shape, tf.constant(epoch, tf.int64)), "index": index}
    return {n: v.numpy() for n, v in step.transform(at, Draw(3, "t", at["epoch"], index), FEATURES).items()}


def shown(mask, number):
    """The box about the pixels of a number, and how many they are; None where there are none."""
    rows, columns = np.nonzero(mask == number)
    return ([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], len(rows)) if len(rows) else (None, 0)


def test_objects_of_a_mosaic_are_where_their_pixels_are():
    batch, step = examples(), made("mosaic", scale=[0.6, 1.0])
    out, said = joined(step, batch), infer(Example(FEATURES), [step])[-1]
    assert out["boxes"].shape == (COUNT, *said.features["boxes"].spec.shape) == (COUNT, 8, 4)
    whose, sizes = [], (batch["boxes"][..., 2:] - batch["boxes"][..., :2]).numpy().prod(-1).reshape(-1)
    for i in range(COUNT):
        mask, there = out["mask"][i, ..., 0], out["labels"][i]
        group = range(i // 4 * 8 + 1, i // 4 * 8 + 9)
        kept = there[there >= 0].tolist()
        assert set(kept) <= set(group) and len(set(kept)) == len(kept) and (out["boxes"][i, len(kept) :] == 0).all()
        assert set(np.unique(mask)) <= {0, 255, *group}
        for number in group:
            box, count = shown(mask, number)
            if number in kept:
                got = out["boxes"][i, kept.index(number)]
                assert np.abs(got - box).max() <= 1.01, (i, number)
            else:  # less than a tenth of it is left; its pixels at an edge are counted whole
                assert count <= 0.1 * sizes[number - 1] + 12
        whose.append({(number - 1) // 2 - i // 4 * 4 for number in kept})
    assert sum(len(one) for one in whose) / COUNT > 2.5, "most mosaics show objects of three or four pictures"


def test_what_is_joined_does_not_depend_on_the_rest_of_a_batch():
    batch = examples()
    for step in (made("mosaic", probability=0.7), made("copy_paste", probability=0.7)):
        whole, part = joined(step, batch), joined(step, {name: value[:8] for name, value in batch.items()})
        assert all(np.array_equal(part[name], whole[name][:8]) for name in FEATURES)
        later = joined(step, batch, epoch=1)
        assert not np.array_equal(later["image"], whole["image"])
        changed = [not np.array_equal(a, b) for a, b in zip(whole["mask"], batch["mask"].numpy(), strict=True)]
        assert 0.4 <= np.mean(changed) <= 0.85
        same = next(i for i, one in enumerate(changed) if not one)
        assert np.array_equal(whole["boxes"][same, :2], batch["boxes"][same])
        assert for_evaluation([step]) == ()


def test_objects_that_are_pasted_hide_others():
    batch = examples()
    out = joined(made("copy_paste", share=0.5), batch)
    pasted = 0
    for i in range(COUNT):
        mask, own = out["mask"][i, ..., 0], batch["mask"].numpy()[i, ..., 0]
        kept = out["labels"][i][out["labels"][i] >= 0].tolist()
        mine, others = [2 * i + 1, 2 * i + 2], [2 * (i ^ 1) + 1, 2 * (i ^ 1) + 2]
        for number in kept:
            box, count = shown(mask, number)
            got = out["boxes"][i, kept.index(number)]
            assert count > 0 and (got[:2] <= box[:2]).all() and (got[2:] >= box[2:]).all()
        for number in others:
            there = batch["mask"].numpy()[i ^ 1, ..., 0] == number
            assert np.array_equal(mask[there] == number, [number in kept] * there.sum())
            pasted += number in kept
        for number in mine:
            left = (mask == number).sum() / (own == number).sum()
            assert (number in kept) == (left >= 0.1)
    assert 0.35 < pasted / (2 * COUNT) < 0.65


def test_a_mosaic_that_ends_leaves_room_for_its_objects():
    batch, step = examples(), made("until", epoch=2, steps=["mosaic"])
    said = infer(Example(FEATURES), [step])[-1]
    assert said.features["boxes"].spec.shape == (8, 4) and said.features["labels"].spec.shape == (8,)
    assert np.array_equal(joined(step, batch, 1)["image"], joined(made("mosaic"), batch, 1)["image"])
    after = joined(step, batch, 2)
    assert np.array_equal(after["image"], batch["image"])
    assert after["boxes"].shape == (COUNT, 8, 4) and (after["boxes"][:, 2:] == 0).all()
    assert np.array_equal(after["labels"][:, :2], batch["labels"]) and (after["labels"][:, 2:] == -1).all()


def test_what_cannot_be_joined_is_refused():
    image = FEATURES["image"]
    with refuses(TransformError):
        infer(Example({"image": image, "mask": FEATURES["mask"]}), [made("mosaic")])
    with refuses(TransformError):
        infer(Example({"image": Image(TensorSpec((None, None, 3), "uint8")), "boxes": Boxes(2)}), [made("copy_paste")])
