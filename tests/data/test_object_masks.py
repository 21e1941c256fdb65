"""Masks of objects go where their pixels go, and are read out of files as pycocotools reads them."""

import contextlib
import io
import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow
from PIL import ImageOps

from archspec.data import objects
from archspec.data.corners import corners, placement
from archspec.data.draw import Draw
from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.mask_places import MaskPlaces
from archspec.data.features.object_masks import ObjectMasks, bits, mask
from archspec.data.objects import Picture, StoredImage, judge
from archspec.data.pasting import in_file, pasted
from archspec.data.pipeline import Pipeline
from archspec.data.run_lengths import of_segmentation, pixels, run_lengths
from archspec.data.source import DataSource
from archspec.data.transform import infer
from archspec.ir.tensors import TensorSpec
from tests.data import test_mosaic as pairs
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mosaic", {"scale": [0.6, 1.0]}),
        ("copy_paste", {"probability": 0.5}),
        ("until", {"epoch": 1, "steps": ["mosaic"]}),
    ],
)
def test_masks_of_joined_pictures_are_those_of_their_objects(name, arguments):
    batch = dict(pairs.examples())
    numbers, mask_of = batch["labels"].numpy(), batch["mask"].numpy()[..., 0]
    packed = np.stack([bits([m == k for k in own], 1, m.shape) for m, own in zip(mask_of, numbers, strict=True)])
    batch |= {"masks": tf.constant(packed), "places": tf.constant(np.tile(np.int32([[0, 1]]), (len(packed), 1)))}
    kinds = {**pairs.FEATURES, "masks": ObjectMasks(mask_of.shape[1:], 1), "places": MaskPlaces(2, 8)}
    step = pairs.made(name, **arguments)
    for epoch in (0, 1) if name == "until" else (0,):
        index = tf.range(len(packed), dtype=tf.int64)
        at = {**batch, "epoch": tf.fill(index.shape, tf.constant(epoch, tf.int64)), "index": index}
        out = {n: v.numpy() for n, v in step.transform(at, Draw(3, "t", at["epoch"], index), kinds).items()}
        said = infer(Example(kinds), [step])[-1]
        assert out["masks"].shape[1:] == said.features["masks"].spec.shape
        assert out["places"].shape[1:] == said.features["places"].spec.shape
        seen = 0
        for classes, whole, places, labels in zip(
            out["mask"][..., 0], out["masks"], out["places"], out["labels"], strict=True
        ):
            for place, label in zip(places, labels, strict=True):
                assert (place >= 0) == (label >= 0)
                if label >= 0:
                    assert np.array_equal(mask(whole, place), classes == label)
                    seen += 1
        assert seen > len(packed)


def outlined(count=8, size=40):
    """Pictures of two thin diagonals, of which a row of classes, boxes and bits tells."""
    rng = np.random.default_rng(4)
    whole = np.zeros((count, 2, size, size), bool)
    for i, k in np.ndindex(count, 2):
        side, (y, x) = rng.integers(12, 26), rng.integers(0, 12, 2)
        steps = np.arange(side)
        whole[i, k, y + steps, x + (steps if k else side - 1 - steps)] = True
    where = [[np.argwhere(one) for one in own] for own in whole]
    boxes = np.float32([[[*at.min(0)[::-1], *at.max(0)[::-1] + 1] for at in own] for own in where])
    labels = np.arange(2 * count, dtype=np.int32).reshape(count, 2)
    image = np.repeat((100 + whole.any(1)[..., None] * np.arange(count)[:, None, None, None]), 3, -1).astype(np.uint8)
    packed = np.stack([bits(own, 1, (size, size)) for own in whole])
    batch = {"image": image, "masks": packed, "boxes": boxes, "labels": labels, "places": np.int32([[0, 1]] * count)}
    kinds = {
        "image": pairs.Image(TensorSpec((size, size, 3), "uint8")),
        "masks": ObjectMasks((size, size), 1),
        "boxes": pairs.Boxes(2),
        "labels": pairs.Labels(2, 2 * count, rows="object"),
        "places": MaskPlaces(2, 8),
    }
    return {name: tf.constant(value) for name, value in batch.items()}, kinds, whole


def test_an_object_is_pasted_by_its_outline_and_stays_however_little_of_its_box_it_fills():
    batch, kinds, whole = outlined()
    index = tf.range(len(whole), dtype=tf.int64)
    step = pairs.made("copy_paste", share=0.5)
    out = step.transform(batch, Draw(3, "t", tf.zeros_like(index), index), kinds)
    out = {name: value.numpy() for name, value in out.items()}
    pasted = hidden = 0
    for i in range(len(whole)):
        rows = {
            int(k): mask(out["masks"][i], p) for k, p in zip(out["labels"][i], out["places"][i], strict=True) if k >= 0
        }
        others = [k for k in rows if k // 2 != i]
        over = np.any([whole[i ^ 1, k % 2] for k in others], 0) if others else np.zeros_like(whole[0, 0])
        for number, one in rows.items():
            assert np.array_equal(one, whole[number // 2, number % 2] & (over if number in others else ~over))
        assert set(rows) >= {2 * i, 2 * i + 1}
        # Pixels that are not the object's are those of the picture below.
        assert np.array_equal(out["image"][i][~over], batch["image"].numpy()[i][~over])
        assert np.array_equal(out["image"][i][over], batch["image"].numpy()[i ^ 1][over])
        pasted, hidden = pasted + len(others), hidden + (over & whole[i].any(0)).sum()
    assert pasted >= 4 and hidden


def test_a_box_in_which_a_border_leaves_nothing_of_its_object_is_dropped():
    batch, kinds, whole = outlined()
    index = tf.range(len(whole), dtype=tf.int64)
    step = pairs.made("random_crop", size=20)
    seen = dropped = 0
    for epoch in range(6):
        draw = Draw(3, "t", tf.fill(index.shape, tf.constant(epoch, tf.int64)), index)
        out = {name: value.numpy() for name, value in step.transform(batch, draw, kinds).items()}
        for i in range(len(whole)):
            there = out["labels"][i] >= 0
            inside = [mask(out["masks"][i], k).any() for k in range(2)]
            assert all(inside[place] for place in out["places"][i][there])
            seen, dropped = seen + there.sum(), dropped + 2 - there.sum()
    assert seen > 20 and dropped > 10
    # What is only scaled down loses no object: evaluation would count too few.
    step = pairs.made("resize", size=4)
    out = step.transform(batch, Draw(3, "t", tf.zeros_like(index), index), kinds)
    assert (out["labels"].numpy() >= 0).all() and not all(
        mask(m, k).any() for m in out["masks"].numpy() for k in (0, 1)
    )


def test_scenes_have_the_masks_of_their_objects():
    source = DataSource.find("scenes").model_validate({"train": 40, "test": 1, "most": 9, "size": 96, "masks": True})
    found, kinds = source.arrays("train"), source.features().features
    assert found["masks"].shape[1:] == kinds["masks"].spec.shape == (96, 96, 2)
    for i in range(40):
        union = np.zeros((96, 96), np.uint8)
        for place, box, kind, area in zip(*(found[n][i] for n in ("places", "boxes", "classes", "areas")), strict=True):
            assert (place >= 0) == (kind >= 0)
            if place >= 0:
                one = mask(found["masks"][i], place)
                rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
                assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1] and one.sum() == area
                union[one] += np.uint8(kind + 1)
        assert np.array_equal(union, found["label"][i, ..., 0])


SEGMENTATIONS = {
    "outlines": [[1, 1, 9, 1, 9, 6, 1, 6], [12.5, 2, 15, 9, 11, 9.5]],
    "runs": {"size": [10, 16], "counts": [3, 7, 150]},
    "short runs": {"size": [10, 16], "counts": run_lengths(np.eye(10, 16) > 0).decode()},
}


@pytest.mark.parametrize("name", SEGMENTATIONS)
def test_segmentations_have_the_pixels_that_pycocotools_gives_them(name):
    from pycocotools.coco import COCO as Coco

    theirs = Coco()
    theirs.dataset = {
        "images": [{"id": 1, "height": 10, "width": 16}],
        "categories": [],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": SEGMENTATIONS[name]}],
    }
    ours = pixels(of_segmentation(SEGMENTATIONS[name], (10, 16)), (10, 16))
    with contextlib.redirect_stdout(io.StringIO()):
        theirs.createIndex()
    assert np.array_equal(ours, theirs.annToMask(theirs.dataset["annotations"][0])) and ours.any()


BAD = {
    "none": None,
    "empty": [],
    "two points": [[1, 2, 3, 4]],
    "a word": [[1, 2, 3, 4, "five", 6]],
    "another size": {"size": [16, 10], "counts": [160]},
    "too few pixels": {"size": [10, 16], "counts": [3, 7]},
    "short runs of other pixels": {"size": [10, 16], "counts": run_lengths(np.eye(10, 17) > 0).decode()},
    "no runs": {"size": [10, 16], "counts": "zz~"},
    "a number": {"size": [10, 16], "counts": 5},
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_segmentation_is_told(name):
    with refuses(DataError):
        of_segmentation(BAD[name], (10, 16))


@pytest.mark.parametrize("orientation", range(5, 9))
def test_a_mask_of_the_shown_picture_lies_on_the_same_pixels_of_the_stored_one(orientation):
    stored = np.zeros((6, 9), np.uint8)
    stored[1, 2:7] = stored[2:5, 6] = 1
    picture = Pillow.fromarray(stored)
    picture.getexif()[274] = orientation
    shown = np.asarray(ImageOps.exif_transpose(picture))
    rows, columns = np.flatnonzero(shown.any(1)), np.flatnonzero(shown.any(0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    one = objects.Marked(box, 0, "object 1", mask=run_lengths(shown))
    found = judge(Picture("a.jpg", "b.json", [one], shown.shape[::-1]), StoredImage(9, 6, orientation), {"a": 0}, 1)
    assert found.kept is not None and found.kept[0].mask is not None
    assert np.array_equal(pixels(found.kept[0].mask, (6, 9)), stored)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_polygons_of_yolo_are_masks_of_the_picture_that_a_viewer_shows(orientation, tmp_path):
    from pycocotools import mask as coco

    stored = np.random.default_rng(0).integers(0, 255, (11, 17, 3), np.uint8)
    exif = Pillow.Exif()
    exif[274] = orientation
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Pillow.fromarray(stored).save(tmp_path / "images" / "a.jpg", exif=exif)
    height, width = (17, 11) if orientation == 6 else (11, 17)
    points = np.float64([[0.1, 0.2], [0.8, 0.15], [0.95, 0.7], [0.4, 0.5], [0.2, 0.9]])
    # The second has the same box and other pixels; the third has no pixels to tell of.
    corners_ = [[0.1, 0.15], [0.95, 0.15], [0.95, 0.9], [0.1, 0.9]]
    lines = [f"0 {' '.join(f'{n:.6f}' for n in np.ravel(one))}" for one in (points, corners_)]
    (tmp_path / "labels" / "a.txt").write_text("\n".join([*lines, lines[0], "0 0.5 0.5 0.2 0.2"]))
    (tmp_path / "data.yaml").write_text("train: images\nnames: [cell]\n")
    source = DataSource.find("yolo").model_validate({"path": tmp_path, "masks": True})
    (entry,) = source.listing().splits["train"]
    wanted = coco.decode(coco.frPyObjects([np.ravel(points * [width, height]).tolist()], height, width))[..., 0]
    # Pillow, not this code, turns the picture as a viewer does.
    kept = np.stack([pixels(one.mask, (11, 17)) for one in entry.objects])
    shown = [Pillow.fromarray(one) for one in kept]
    for one in shown:
        one.getexif()[274] = orientation
    assert len(kept) == 2 and np.array_equal(np.asarray(ImageOps.exif_transpose(shown[0])), wanted)
    assert entry.objects[0].area == wanted.sum() and kept[1].sum() > kept[0].sum()
    faults = {fault.kind: fault.message for fault in source.listing().faults}
    assert "is the same as line 1" in faults["twice"] and "no polygon" in faults["no mask"]


def test_a_mask_without_pixels_is_told():
    one = objects.Marked((2.2, 2.2, 2.4, 2.4), 0, "object 1", mask=run_lengths(np.zeros((6, 9))))
    found = judge(Picture("a.jpg", "b.json", [one], (9, 6)), StoredImage(9, 6), {"a": 0}, 1)
    assert "empty mask" in [judged.kind for judged in found.found] and found.kept


def test_coco_gives_masks_of_each_object_as_bits(tmp_path):
    rng = np.random.default_rng(0)
    Pillow.fromarray(rng.integers(0, 255, (10, 16, 3), np.uint8)).save(tmp_path / "a.png")
    rows = [
        {"id": k, "image_id": 7, "category_id": 3, "bbox": [k, 1, 6, 7], "segmentation": one, "iscrowd": int(k == 2)}
        for k, one in enumerate([*SEGMENTATIONS.values(), None, [[0, 0, 16, 0, 16, 10, 0, 10]]], 1)
    ]
    said = {
        "images": [{"id": 7, "file_name": "a.png", "width": 16, "height": 10}],
        "annotations": rows,
        "categories": [{"id": 3, "name": "cell"}],
    }
    (tmp_path / "train").mkdir()
    (tmp_path / "a.png").rename(tmp_path / "train" / "a.png")
    (tmp_path / "train" / "_annotations.coco.json").write_text(json.dumps(said))
    source = DataSource.find("coco").model_validate({"path": tmp_path, "masks": True})
    raw = source.features()
    assert raw.features["masks"].spec.shape == (None, None, 1)
    (batch,) = [b for b, _ in Pipeline(source, raw, (), (), 1, 0).evaluation("train", lambda b: (b, ()))]
    wanted = [
        pixels(of_segmentation(one, (10, 16)), (10, 16)) for one in (*SEGMENTATIONS.values(), rows[4]["segmentation"])
    ]
    assert batch["places"].numpy().tolist() == [[0, 1, 2, 3]] and batch["ignored"].numpy().tolist() == [[0, 1, 0, 0]]
    for place, one in enumerate(wanted):
        assert np.array_equal(mask(batch["masks"].numpy()[0], place), one)
    (fault,) = source.listing().faults
    assert fault.kind == "mask cannot be read"


def test_masks_are_pasted_as_the_op_pastes_them_and_brought_back_to_their_file():
    from archspec.layers.instances import PastedMasks

    rng = np.random.default_rng(2)
    drawn_ = rng.uniform(size=(1, 12, 7, 7)).astype("float32")
    low = rng.uniform(-8, 30, (1, 12, 2))
    boxes = np.concatenate([low, low + rng.uniform(0.5, 40, (1, 12, 2))], -1).astype("float32")
    values = np.asarray(PastedMasks((40, 56))(drawn_, boxes))[0]
    for one, box, want in zip(drawn_[0], boxes[0], values, strict=True):
        got = pasted(one, box.tolist(), (40, 56))
        assert np.array_equal(got, want >= 0.5) or np.abs(want[got != (want >= 0.5)] - 0.5).max() < 1e-5
    # Seen twice as large in a frame: every pixel of the file is one of four.
    file = rng.integers(0, 2, (10, 16)).astype(bool)
    seen = np.zeros((32, 40), bool)
    seen[4:24, 2:34] = file.repeat(2, 0).repeat(2, 1)
    at = corners((16, 10)) * 2 + [2, 4]
    (back,) = in_file(bits([np.zeros_like(seen), seen], 1, seen.shape), [1], placement(at), (10, 16))
    assert np.array_equal(back, file)


def numbered(folder, split=""):
    """Three photos with masks of 16 bits, 8 bits and a palette, and one whose mask is a JPEG file."""
    rng = np.random.default_rng(3)
    images, masks = folder / "images" / split, folder / "masks" / split
    images.mkdir(parents=True)
    masks.mkdir(parents=True)
    found = []
    for i, kind in enumerate((np.uint16, np.uint8, np.uint8)):
        mask = np.zeros((20, 24), kind)
        for value in range(1, 2 + i):
            y, x = rng.integers(0, 12, 2)
            mask[y : y + 6, x : x + 7] = value * (700 if i == 0 else 3)
        found.append(mask)
        Pillow.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save(images / f"{i}.png")
        picture = Pillow.fromarray(mask)
        if i == 2:
            picture.putpalette([0, 0, 0, 255, 0, 0] * 128)
        picture.save(masks / f"{i}.png")
    Pillow.fromarray(found[1]).save(masks / "3.jpg")
    Pillow.fromarray(rng.integers(0, 255, (20, 24, 3), np.uint8)).save(images / "3.png")
    return found


def test_values_of_a_mask_are_objects(tmp_path):
    wanted = numbered(tmp_path, "train")
    source = DataSource.find("instances").model_validate({"path": tmp_path, "called": "cell", "holdout": 0.4})
    listing = source.listing()
    assert listing.class_names == ("cell",) and [fault.kind for fault in listing.faults] == ["mask cannot be read"]
    seen = 0
    for split, entries in listing.splits.items():
        batches = Pipeline(source, source.features(), (), (), 1, 0).evaluation(split, lambda b: (b, ()))
        for entry, (batch, _) in zip(entries, batches, strict=True):
            one = {name: value.numpy()[0] for name, value in batch.items()}
            want = wanted[int(entry.path.split("/")[-1][0])]
            values = [v for v in np.unique(want) if v]
            assert one["places"].tolist() == [*range(len(values)), *[-1] * (3 - len(values))]
            for k, value in enumerate(values):
                assert np.array_equal(mask(one["masks"], k), want == value)
                rows, columns = np.flatnonzero((want == value).any(1)), np.flatnonzero((want == value).any(0))
                assert one["boxes"][k].tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
                seen += 1
    assert seen == sum(len(np.unique(m)) - 1 for m in wanted)


def test_numbers_of_classes_stand_in_the_values_of_a_mask(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    values = np.int32([[7, 24001, 24001], [26000, 24002, 33001]])
    for i in range(2):
        Pillow.fromarray(np.zeros((2, 3, 3), np.uint8)).save(tmp_path / "images" / f"{i}.png")
        Pillow.fromarray(values.astype(np.uint16)).save(tmp_path / "masks" / f"{i}.png")
    told = {"path": tmp_path, "values": {24: "person", 26: "car"}}
    listing = DataSource.find("instances").model_validate(told).listing()
    (entry,) = listing.splits["val"]
    assert listing.class_names == ("person", "car")
    assert [(one.label, one.area) for one in entry.objects] == [(0, 2.0), (0, 1.0), (1, 1.0)]
    assert np.array_equal(pixels(entry.objects[1].mask, (2, 3)), values == 24002)
