"""What lies in an image goes where its pixels go.

Rectangles are painted into masks, TensorFlow moves the pixels, and where they then lie is counted; boxes, points and
polygons are moved by their coordinates. A batch holds 200 examples, each with draws of its own.
"""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow
from PIL import ImageDraw

from archspec.data.draw import Draw
from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.boxes import Boxes
from archspec.data.features.image import Image
from archspec.data.features.labels import Labels
from archspec.data.features.mask import Mask
from archspec.data.features.mask_places import MaskPlaces
from archspec.data.features.object_masks import ObjectMasks
from archspec.data.features.points import Points
from archspec.data.features.polygons import Polygons, _within, area
from archspec.data.motion import Motion, affine, homography
from archspec.data.pipeline import Pipeline
from archspec.data.source import ENCODED, DataSource, in_order
from archspec.data.transform import Transform, TransformError, infer
from archspec.data.transforms.geometric import Geometric, moved
from archspec.ir.tensors import TensorSpec
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
COUNT, HEIGHT, WIDTH, VOID = 200, 56, 72, 255

EXACT = {
    "mirror": [{"probability": 0.7}, {"axis": "vertical"}],
    "center_crop": [{"size": [30, 44]}],
    "random_crop": [{"size": [40, 50], "padding": 5}, {"size": 33}],
}
"""Transforms under which a box stays a box, to the pixel."""
UPRIGHT = {
    "resize": [{"size": [80, 51]}, {"size": [23, 31], "method": "nearest"}],
    "shift": [{"share": 0.3, "probability": 0.8}],
    "zoom": [{"scale": [0.5, 1.6]}],
    "resized_center_crop": [{"size": [40, 36]}, {"size": 24, "short": 30}],
    "random_resized_crop": [{"size": [40, 48], "area": [0.2, 1.0]}],
    "scale_jitter": [{"size": 40, "short": [42, 70]}],
    "letterbox": [{"size": [64, 64]}, {"size": [90, 41]}, {"size": [99, 120], "enlarge": False}],
    "large_scale_jitter": [{"size": [60, 64], "scale": [0.7, 1.8]}],
}
"""Those under which it stays one, between pixels."""
SLANTED = {
    "rotate": [{"degrees": 180}, {"degrees": 20, "probability": 0.5}],
    "shear": [{"degrees": 20}, {"degrees": 25, "axes": "vertical"}],
    "perspective": [{"strength": 0.3, "probability": 1.0}],
}
CASES = [(name, arguments, 0.0) for name, some in EXACT.items() for arguments in some]
CASES += [(name, arguments, 1.0) for some in (UPRIGHT, SLANTED) for name, more in some.items() for arguments in more]
IDS = [f"{name} {' '.join(map(str, arguments.values()))}" for name, arguments, _ in CASES]


def made(name, arguments):
    return Transform.find(name).model_validate(arguments)


def rectangles(low=8, high=24):
    """Boxes of whole pixels about the middle, one for each example."""
    rng = np.random.default_rng(3)
    size = rng.integers(low, high, (COUNT, 2))
    first = np.stack([rng.integers(6, WIDTH - 6 - size[:, 0]), rng.integers(6, HEIGHT - 6 - size[:, 1])], 1)
    return np.concatenate([first, first + size], 1).astype(np.float32)


def painted(boxes):
    """A mask with class 7 within each box, 1 elsewhere."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    x1, y1, x2, y2 = (boxes[:, k, None, None] for k in range(4))
    inside = (columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2)
    return np.where(inside, 7, 1).astype(np.uint8)[..., None]


def found(mask):
    """The box about class 7 of each example; NaN where there is none."""
    out = np.full((len(mask), 4), np.nan)
    for i, one in enumerate(mask[..., 0] == 7):
        if one.any():
            rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
            out[i] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return out


FEATURES = {
    "image": Image(TensorSpec((HEIGHT, WIDTH, 1), "uint8")),
    "mask": Mask(TensorSpec((HEIGHT, WIDTH, 1), "uint8"), ignored=VOID),
    "boxes": Boxes(1),
    "points": Points(1),
    "polygons": Polygons(1, 4, rows="polygon"),
    "masks": ObjectMasks((HEIGHT, WIDTH), 2),
    "places": MaskPlaces(1, 16),
}
PLACE = 11
"""Of the object's mask."""


def example(boxes):
    mask = painted(boxes)
    x1, y1, x2, y2 = boxes.T
    outline = np.stack([x1, y1, x2, y1, x2, y2, x1, y2], 1).reshape(-1, 1, 4, 2)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    own = np.concatenate([np.zeros_like(mask), (mask == 7) * np.uint8(1 << PLACE - 8)], -1)
    parts = {"image": mask * 30, "mask": mask, "boxes": boxes[:, None], "points": middle[:, None], "polygons": outline}
    parts |= {"masks": own, "places": np.full((COUNT, 1), PLACE, np.int32)}
    return {name: tf.constant(value) for name, value in parts.items()}


def drawn(seed=5):
    return Draw(seed, "test", tf.zeros((COUNT,), tf.int64), tf.range(COUNT, dtype=tf.int64))


def test_every_geometric_transform_is_tried():
    kinds = {kind.name for kind in Transform.all() if issubclass(kind, Geometric)}
    assert kinds == {*EXACT, *UPRIGHT, *SLANTED, "elastic", "random_tile", "center_tile"}


@pytest.mark.parametrize(("name", "arguments", "tolerance"), CASES, ids=IDS)
def test_a_box_goes_where_its_pixels_go(name, arguments, tolerance):
    step, boxes = made(name, arguments), rectangles()
    said = infer(Example(FEATURES), [step])[-1]
    out = {n: v.numpy() for n, v in step.transform(example(boxes), drawn(), FEATURES).items()}
    height, width = said.image.spatial
    assert out["mask"].shape == (COUNT, height, width, 1) and said.features["mask"].spec.shape == (height, width, 1)
    assert set(np.unique(out["mask"])) <= {1, 7, VOID}
    # The object's own mask is moved as that of classes is.
    assert out["masks"].shape[1:] == said.features["masks"].spec.shape
    assert np.array_equal(out["masks"], np.where(out["mask"] == 7, np.uint8([0, 1 << PLACE - 8]), np.uint8(0)))
    assert np.array_equal(out["places"][:, 0], np.where(out["boxes"][:, 0, 2] > 0, PLACE, -1))
    got, want, kept = out["boxes"][:, 0], found(out["mask"]), out["boxes"][:, 0, 2] > 0
    assert (got >= 0).all() and (got <= [width, height, width, height]).all()
    # A slanted box that the border cuts ends where its corner did, not where its pixels do.
    is_whole = (got > 0).all(1) & (got < [width, height, width, height]).all(1)
    compared = kept & is_whole if name in SLANTED else kept & ~np.isnan(want).any(1)
    assert compared.sum() >= COUNT / 4
    assert np.abs(got - want)[compared].max() <= tolerance + 1e-3
    # What was dropped is next to nothing there: less than a tenth of what the box was.
    size = np.where(out["mask"] == 7, 1, 0).sum((1, 2, 3))
    assert size[~kept].max(initial=0) <= 0.15 * 23 * 23 * (
        4 if name in ("zoom", "resize", "random_resized_crop") else 1
    )
    # The middle stays the middle where straight lines stay parallel, and the outline has the pixels within.
    if name != "perspective":
        rows, columns = np.mgrid[0:height, 0:width]
        weight = (out["mask"][..., 0] == 7) / np.maximum(size, 1)[:, None, None]
        middle = np.stack([((columns + 0.5) * weight).sum((1, 2)), ((rows + 0.5) * weight).sum((1, 2))], 1)
        whole = kept & is_whole
        assert np.abs(out["points"][:, 0] - middle)[whole].max() <= max(tolerance, 1e-3)
    for i in np.flatnonzero(kept)[:20]:
        canvas = Pillow.new("1", (8 * width, 8 * height))
        ImageDraw.Draw(canvas).polygon([tuple(8 * p) for p in out["polygons"][i, 0]], fill=1)
        covered = np.asarray(canvas)[4::8, 4::8]
        assert (covered != (out["mask"][i, ..., 0] == 7)).sum() <= (0 if not tolerance else 0.25 * covered.sum() + 12)


@pytest.mark.parametrize(("name", "arguments", "tolerance"), CASES, ids=IDS)
def test_the_way_back_is_the_identity(name, arguments, tolerance):
    motion = made(name, arguments).motion((HEIGHT, WIDTH), drawn())
    at = tf.constant(rectangles().reshape(COUNT, 2, 2))
    back = motion.inverse()
    assert (back.before, back.size) == (motion.size, motion.before)
    assert np.abs(back.points(motion.points(at)) - at).max() < 0.02
    # Two motions one after the other, and as one.
    after = made("rotate", {"degrees": 30}).motion(motion.size, drawn(9))
    both = motion.then(after)
    assert both.size == after.size and both.before == motion.before
    assert np.abs(both.points(at) - after.points(motion.points(at))).max() < 0.02
    assert np.abs(both.inverse().points(both.points(at)) - at).max() < 0.05


def test_a_motion_of_motions_moves_pixels_at_once():
    """Crop and mirror have nothing to lose between them: done one after the other, and as one."""
    boxes = rectangles()
    mask = tf.constant(painted(boxes))
    crop = made("random_crop", {"size": [40, 50], "padding": 3}).motion((HEIGHT, WIDTH), drawn())
    mirror = made("mirror", {}).motion((40, 50), drawn(1))
    apart = mirror.pixels(crop.pixels(mask, nearest=True, fill=9), nearest=True, fill=9)
    assert np.array_equal(crop.then(mirror).pixels(mask, nearest=True, fill=9), apart)


def test_what_is_hardly_seen_any_more_is_dropped_with_its_label():
    boxes = tf.constant([[[-0.0, 0, 10, 10], [20, 20, 30, 30], [36, 20, 46, 30], [0, 0, 0, 0]]], tf.float32)
    features = {
        "boxes": Boxes(4),
        "labels": Labels(4, rows="object"),
        "others": Labels(4),
        "polygons": Polygons(4, 3),
    }
    outline = tf.stack([boxes[..., :2], boxes[..., 2:], tf.stack([boxes[..., 0], boxes[..., 3]], -1)], 2)
    labels = tf.constant([[3, 4, 5, -1]])
    one = tf.ones((1,))
    # 9 columns to the right: the first box goes on, of the third 1 of 10 columns is left: 10 % is enough, 9 % is not.
    for shift, seen in ((-9.0, [0, 1, 2]), (-9.1, [0, 1])):
        motion = Motion(affine(one, 0 * one, shift * one, 0 * one, one, 0 * one), (40, 46), (40, 46))
        out = moved({"boxes": boxes, "labels": labels, "others": labels, "polygons": outline}, features, motion)
        assert out["labels"].numpy()[0].tolist() == [[3, 4, 5, -1][k] for k in seen] + [-1] * (4 - len(seen))
        assert out["others"].numpy()[0].tolist() == [3, 4, 5, -1]
        want = np.zeros((4, 4), np.float32)
        want[: len(seen)] = np.clip(boxes.numpy()[0, seen] - [shift, 0, shift, 0], 0, [46, 40, 46, 40])
        assert np.allclose(out["boxes"][0], want, atol=1e-4)
        assert (out["polygons"].numpy()[0, len(seen) :] == 0).all()
    # The first goes to the left, and those behind move up.
    motion = Motion(affine(one, 0 * one, 15 * one, 0 * one, one, 0 * one), (40, 46), (40, 46))
    out = moved(
        {"boxes": boxes, "labels": labels}, features={n: features[n] for n in ("boxes", "labels")}, motion=motion
    )
    assert out["labels"].numpy()[0].tolist() == [4, 5, -1, -1] and out["boxes"].numpy()[0, 0].tolist() == [
        5,
        20,
        15,
        30,
    ]


def test_the_area_of_a_polygon_that_a_border_cuts_is_exact():
    """Against pixels, sixteen to a pixel; polygons that a border cuts twice, one that goes around it, one outside."""
    some = np.float32(
        [
            [[-10, 5], [30, -8], [50, 30], [12, 44]],
            [[-20, -20], [70, -20], [70, 70], [-20, 70]],
            [[20, -30], [60, 20], [20, 70], [-20, 20]],
            [[50, 50], [60, 50], [60, 60], [50, 60]],
            [[5, 5], [35, 5], [35, 25], [20, 15]],
        ]
    )
    got = area(_within(_within(tf.constant(some[None]), 0, tf.constant(40.0)), 1, tf.constant(30.0)))[0].numpy()
    for polygon, size in zip(some, got, strict=True):
        canvas = Pillow.new("1", (16 * 40, 16 * 30))
        ImageDraw.Draw(canvas).polygon([tuple(16 * p) for p in polygon], fill=1)
        assert abs(np.asarray(canvas).sum() / 256 - size) <= 0.01 * size + 8
    assert got[1] == 1200 and got[3] == 0


def test_a_letterbox_goes_back_to_the_pixel_whatever_the_file_is():
    """By hand: 100 × 37 in 64 × 64 is 64 × 24 (23.68, rounded), 20 rows down; each axis has a scale of its own."""
    motion = made("letterbox", {"size": 64}).motion((37, 100), Draw(0, "", tf.zeros((1,), tf.int64), tf.range(1)))
    seen = motion.points(tf.constant([[[0.0, 0.0], [100.0, 37.0], [50.0, 18.5]]]))[0].numpy()
    assert np.allclose(seen, [[0, 20], [64, 44], [32, 32]], atol=1e-4)
    assert np.allclose(motion.inverse().points(tf.constant(seen[None])), [[[0, 0], [100, 37], [50, 18.5]]], atol=1e-4)
    image = motion.pixels(tf.ones((1, 37, 100, 3)), nearest=False).numpy()[0, ..., 0]
    assert np.allclose(image[20:44], 1) and (image[:20] == 114).all() and (image[44:] == 114).all()


def test_exports_frame_images_as_training_does():
    step = made("letterbox", {"size": [48, 64]})
    for shape in ((1, 37, 100, 3), (1, 90, 31, 3), (1, 20, 30, 1)):
        image = tf.constant(np.random.default_rng(1).integers(0, 256, shape), tf.uint8)
        seen = step.apply({"image": image}, Draw(0, "", tf.zeros((1,), tf.int64), tf.range(1)))["image"]
        assert np.abs(seen.numpy().astype(int) - step.exported(image).numpy()).max() <= 1


def test_a_crop_by_overlap_keeps_what_has_its_middle_in_it():
    """Every part of the image overlaps an object by what was asked, or is the whole; who stays, by hand."""
    rng = np.random.default_rng(5)
    start = rng.uniform(0, [WIDTH - 30, HEIGHT - 24], (COUNT, 3, 2))
    boxes = np.concatenate([start, start + rng.uniform(8, 24, (COUNT, 3, 2))], -1).astype(np.float32)
    boxes[:, 2] *= (rng.uniform(size=COUNT) < 0.5)[:, None]
    # Each pixel is its own place, so that the part can be read off the image.
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32) + 0.5
    image = np.broadcast_to(np.stack([columns, rows], -1), (COUNT, HEIGHT, WIDTH, 2))
    features = {"image": Image(TensorSpec((HEIGHT, WIDTH, 2))), "boxes": Boxes(3), "labels": Labels(3, rows="object")}
    labels = np.where(boxes[..., 2] > 0, [[5, 6, 7]], -1).astype(np.int32)
    batch = {"image": tf.constant(image), "boxes": tf.constant(boxes), "labels": tf.constant(labels)}
    for least in (0.0, 0.5, 0.9, 1.0):
        step = made("iou_crop", {"size": [56, 72], "least": [least]})
        out = {n: v.numpy() for n, v in step.transform(batch, drawn(), features).items()}
        whole = 0
        for seen, kept, own, have in zip(out["image"], out["labels"], boxes, labels, strict=True):
            step_x, step_y = seen[28, 37, 0] - seen[28, 36, 0], seen[29, 36, 1] - seen[28, 36, 1]
            x1, y1 = seen[28, 36, 0] - 36.5 * step_x, seen[28, 36, 1] - 28.5 * step_y
            x2, y2 = x1 + 72 * step_x, y1 + 56 * step_y
            middle = (own[:, :2] + own[:, 2:]) / 2
            stays = (have >= 0) & (middle >= [x1, y1]).all(-1) & (middle < [x2, y2]).all(-1)
            assert kept[kept >= 0].tolist() == have[stays].tolist()
            if (x2 - x1) * (y2 - y1) > HEIGHT * WIDTH - 1:
                whole += 1
                continue
            common = np.clip(np.minimum(own[:, 2:], [x2, y2]) - np.maximum(own[:, :2], [x1, y1]), 0, None).prod(-1)
            union = (own[:, 2:] - own[:, :2]).prod(-1) + (x2 - x1) * (y2 - y1) - common
            assert (common / union)[stays].max() >= least - 1e-3
            assert 0.45 <= (x2 - x1) / (y2 - y1) <= 2.1
        # A part is found for most where any overlap will do, for none where it is to be the whole.
        assert {0.0: whole < COUNT / 5, 0.5: whole < COUNT, 0.9: True, 1.0: whole == COUNT}[least], (least, whole)
    with refuses(TransformError):
        infer(Example({"image": features["image"]}), [step])
    assert step.evaluation() == made("resize", {"size": [56, 72]})


def test_steps_end_with_an_epoch():
    step = made("until", {"epoch": 3, "steps": [{"mirror": {"probability": 1}}]})
    boxes = tf.constant(rectangles()[:4, None])
    features = {"image": FEATURES["image"], "boxes": Boxes(1)}
    image = tf.constant(painted(rectangles()[:4]))
    for epoch, is_changed in ((0, True), (2, True), (3, False), (50, False)):
        at = tf.fill((4,), tf.constant(epoch, tf.int64))
        batch = {"image": image, "boxes": boxes, "epoch": at, "index": tf.range(4, dtype=tf.int64)}
        out = step.transform(batch, Draw(0, "", at, batch["index"]), features)
        assert np.array_equal(out["image"], image[:, :, ::-1] if is_changed else image)
        assert np.array_equal(out["boxes"][..., 0], WIDTH - boxes[..., 2] if is_changed else boxes[..., 0])
    assert step.evaluation() is None
    for steps in ([{"resize": 20}], ["rescale"], ["cache"], [{"normalize": {"mean": "data", "std": "data"}}]):
        with refuses(TransformError):
            infer(Example(features), [made("until", {"epoch": 3, "steps": steps})])


def test_a_left_hand_is_a_right_one_in_a_mirror():
    points = tf.constant([[[[2.0, 3], [9, 4], [5, 1]]]] * 2)
    step = made("mirror", {"probability": 1})
    features = {"points": Points(3, objects=1, rows="object", mirrored=(1, 0, 2)), "boxes": Boxes(1)}
    batch = {"points": points, "boxes": tf.constant([[[1.0, 1, 10, 6]]] * 2)}
    motion = step.motion((8, 20), Draw(0, "", tf.zeros((2,), tf.int64), tf.range(2, dtype=tf.int64)))
    out = moved(batch, features, motion)["points"].numpy()
    assert out[1].tolist() == [[[11, 4], [18, 3], [15, 1]]]


def test_elastic_takes_masks_along_and_refuses_coordinates():
    step = made("elastic", {"strength": 60.0, "probability": 0.5})
    for name in ("boxes", "points", "polygons"):
        with refuses(TransformError):
            infer(Example({n: FEATURES[n] for n in ("image", "mask", name)}), [step])
    features = {name: FEATURES[name] for name in ("image", "mask")}
    batch = {name: value for name, value in example(rectangles()).items() if name in features}
    out = step.transform(batch, drawn(), features)
    image, mask = out["image"].numpy()[..., 0], out["mask"].numpy()[..., 0]
    assert set(np.unique(mask)) == {1, 7}
    # Beside an edge an image lies between two classes; everywhere else it has the colour of the mask's.
    assert np.mean(np.abs(image - mask * 30.0) > 90) < 0.01 and np.mean(image != batch["image"].numpy()[..., 0]) > 0.01
    motion = step.motion((HEIGHT, WIDTH), drawn())
    with refuses(DataError):
        motion.points(tf.zeros((COUNT, 1, 2)))
    with refuses(DataError):
        motion.inverse()


@pytest.mark.parametrize("name", ["rand_augment", "aug_mix", "halves", "shrink"])
def test_what_would_leave_boxes_behind_is_refused(name):
    image = Image(TensorSpec((32, 32, 3), "uint8"))
    with refuses(TransformError):
        infer(Example({"image": image, "boxes": Boxes(3)}), [made(name, {})])
    with refuses(TransformError):
        infer(Example({"image": image, "boxes": Boxes(3)}), [made("apply", {"to": "image", "steps": ["mirror"]})])
    with refuses(TransformError):
        infer(Example({"image": image, "mask": Mask(TensorSpec((30, 32, 1), "uint8"))}), [made("mirror", {})])


def test_points_beyond_the_horizon_are_no_points_of_the_image():
    numbers = [tf.constant([v]) for v in (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.02, 0.0)]
    motion = Motion(homography(numbers), (40, 40), (40, 40))
    assert np.allclose(
        motion.inverse().points(motion.points(tf.constant([[[10.5, 20.5]]])))[0, 0], [10.5, 20.5], atol=1e-3
    )


class Files(DataSource):
    """JPEG and PNG files of several sizes, each with two bright rectangles and their boxes, as a source gives them."""

    is_encoded = True

    def _all(self):
        rng = np.random.default_rng(0)
        for i in range(8):
            height, width = 60 + 5 * i, 90 - 4 * i
            image, boxes = np.full((height, width, 3), 20, np.uint8), []
            for k in range(1 + i % 2):
                x, y = rng.integers(4, width // 2 - 14) + k * width // 2, rng.integers(4, height - 30)
                boxes.append([x, y, x + rng.integers(12, 20), y + rng.integers(12, 24)])
                image[y : boxes[-1][3], x : boxes[-1][2]] = 230
            file = io.BytesIO()
            Pillow.fromarray(image).save(file, "png" if i % 3 == 0 else "jpeg", quality=95)
            yield file.getvalue(), boxes

    def features(self):
        image = Image(TensorSpec((None, None, 3), "uint8"))
        kinds = {"boxes": Boxes(None, is_padded=True), "labels": Labels(None, is_padded=True, rows="object")}
        return Example({"image": image, **kinds}, {"train": 8})

    def encoded(self, split, order=None):
        data = [data for data, _ in self._all()]
        boxes = tf.ragged.constant([b for _, b in self._all()], ragged_rank=1, dtype=tf.float32)

        def read(at):
            own = tf.ensure_shape(tf.gather(boxes, at["index"]), (None, 4))
            labels = tf.range(tf.shape(own)[0])
            return {**at, ENCODED: tf.gather(data, at["index"]), "boxes": own, "labels": labels}

        return (in_order(8) if order is None else order).map(read)


@pytest.mark.fast(2)
@pytest.mark.parametrize(
    "chain",
    [
        [("random_resized_crop", {"size": 64, "area": [0.4, 1.0]})],
        [("scale_jitter", {"size": [48, 56], "short": [60, 80]}), ("mirror", {})],
        [("resize", {"size": [66, 88]}), ("random_crop", {"size": 60})],
        [("letterbox", {"size": 72, "value": 0.0}), ("until", {"epoch": 2, "steps": ["mirror"]})],
        [("large_scale_jitter", {"size": 80, "scale": [0.7, 1.3], "value": 0.0})],
        [("iou_crop", {"size": 72})],
    ],
    ids=["window", "window and mirror", "whole", "letterbox", "large scale jitter", "crop by overlap"],
)
def test_boxes_follow_the_part_of_a_file_that_is_decoded(chain):
    """Of JPEG files only a window is read. Each box is where the bright pixels are, between dark ones."""
    source = Files()
    pipeline = Pipeline(source, source.features(), tuple(made(*step) for step in chain), (), 4, 3)
    compared = 0
    for batch, _ in pipeline.training(lambda batch: (batch, ())).take(6):
        image, boxes, labels = (batch[name].numpy() for name in ("image", "boxes", "labels"))
        assert boxes.shape[:2] == labels.shape and ((labels >= 0) == (boxes[..., 2] > 0)).all()
        for one, own in zip(image[..., 0], boxes, strict=True):
            for x1, y1, x2, y2 in own[own[:, 2] > 0]:
                if min(x2 - x1, y2 - y1) < 6:
                    continue
                # Of the rows and columns through the middle of the box: where they are bright.
                middle = int((y1 + y2) / 2), int((x1 + x2) / 2)
                row = one[middle[0], max(0, int(x1) - 3) : int(x2) + 4] > 125
                column = one[max(0, int(y1) - 3) : int(y2) + 4, middle[1]] > 125
                lit = np.flatnonzero(row) + max(0, int(x1) - 3), np.flatnonzero(column) + max(0, int(y1) - 3)
                assert abs(lit[0][0] - x1) <= 1 and abs(lit[0][-1] + 1 - x2) <= 1
                assert abs(lit[1][0] - y1) <= 1 and abs(lit[1][-1] + 1 - y2) <= 1
                compared += 1
    assert compared > 15
