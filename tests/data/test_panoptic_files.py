"""COCO's panoptic files and Pascal VOC's two kinds of masks, against pictures that Pillow wrote."""

import json

import numpy as np
import pytest
from PIL import Image

from archspec.data.check import check
from archspec.data.errors import DataError
from archspec.data.features.object_masks import mask
from archspec.data.pipeline import Pipeline
from archspec.data.segments import SegmentClasses, true_segments
from archspec.data.source import DataSource
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

CATEGORIES = [
    {"id": 184, "name": "tree", "isthing": 0},
    {"id": 18, "name": "dog", "isthing": 1},
    {"id": 92, "name": "sky", "isthing": 0},
    {"id": 3, "name": "car", "isthing": 1},
]
NUMBERS = {"sky": 70_000, "dog": 1, "car": 300, "crowd": 66_000, "tree": 5}


def panoptic(folder, change=lambda document: None, drawn=lambda numbers: None):
    """Pictures of two stuff classes, two objects, a crowd, and void."""
    rng = np.random.default_rng(0)
    out, images, annotations = [], [], []
    pngs = folder / "annotations" / "panoptic_train2017"
    pngs.mkdir(parents=True)
    (folder / "train2017").mkdir()
    kinds = {"sky": 92, "dog": 18, "car": 3, "crowd": 3, "tree": 184}
    for i in range(4):
        numbers = np.zeros((20, 27), np.int32)
        numbers[:9], numbers[11:] = NUMBERS["sky"], NUMBERS["tree"]
        numbers[4:13, 2:8], numbers[7:15, 11 + i : 17], numbers[2:6, 20:25] = (
            NUMBERS[n] for n in ("dog", "car", "crowd")
        )
        out.append(numbers.copy())
        drawn(numbers)
        colours = np.stack([numbers >> shift & 255 for shift in (0, 8, 16)], -1).astype(np.uint8)
        Image.fromarray(colours).save(pngs / f"{i}.png")
        Image.fromarray(rng.integers(0, 255, (20, 27, 3), np.uint8)).save(folder / "train2017" / f"{i}.jpg")
        images.append({"id": 10 * i, "file_name": f"{i}.jpg", "width": 27, "height": 20})
        segments = []
        for name, number in NUMBERS.items():
            y, x = np.nonzero(out[-1] == number)
            box = [int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1]
            own = {
                "id": number,
                "category_id": kinds[name],
                "iscrowd": int(name == "crowd"),
                "bbox": box,
                "area": len(x),
            }
            segments.append(own)
        annotations.append({"image_id": 10 * i, "file_name": f"{i}.png", "segments_info": segments})
    document = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    change(document)
    (folder / "annotations" / "panoptic_train2017.json").write_text(json.dumps(document))
    return out


def made(path, name="panoptic", **arguments):
    return DataSource.find(name).model_validate({"path": path, **arguments})


def examples(source, split="train"):
    features = source.features()
    for batch, _ in Pipeline(source, features, (), (), 1, 0).evaluation(split, lambda batch: (batch, ())):
        yield {name: value.numpy()[0] for name, value in batch.items()}


def test_segments_are_objects_and_classes_of_pixels(tmp_path):
    wanted = panoptic(tmp_path)
    source = made(tmp_path)
    classes = SegmentClasses.of(source.features())
    # In the order of the ids, things and stuff each by itself.
    assert classes.names == ("car", "dog", "sky", "tree") and classes.labels == (1, 2)
    assert not [f for f in check(source).findings if f.severity == "error"]
    for numbers, one in zip(wanted, examples(source), strict=True):
        assert one["classes"].tolist() == [1, 0, 0] and one["ignored"].tolist() == [0, 0, 1]
        for place, name in enumerate(("dog", "car", "crowd")):
            assert np.array_equal(mask(one["masks"], place), numbers == NUMBERS[name])
        label = one["label"][..., 0]
        assert np.array_equal(label == 1, numbers == NUMBERS["sky"]) and np.array_equal(label == 255, numbers == 0)
        assert np.array_equal(label == 0, np.isin(numbers, [NUMBERS[n] for n in ("dog", "car", "crowd")]))
        found, segments = true_segments(
            classes, one["masks"], one["places"], one["classes"], one["ignored"], one["label"][..., 0]
        )
        assert len(np.unique(np.stack([found, numbers]).reshape(2, -1), axis=1).T) == 6 == len(segments) + 1
        assert [s.is_ignored for s in segments].count(True) == 1


def test_what_does_not_fit_segments_is_told(tmp_path):
    def change(document):
        first, second, third, _ = document["annotations"]
        first["segments_info"][1]["category_id"] = 77
        del second["segments_info"][4]
        third["segments_info"].append({"id": 9, "category_id": 92, "iscrowd": 0, "bbox": [0, 0, 1, 1], "area": 1})
        (tmp_path / "annotations" / "panoptic_train2017" / "3.png").write_bytes(b"no image")

    panoptic(tmp_path, change)
    found = {f.where.rpartition("/")[2]: f for f in check(made(tmp_path)).findings if f.kind != "twice"}
    told = [found[name].message for name in ("1.jpg", "2.jpg", "3.jpg")]
    assert [found[name].severity for name in ("1.jpg", "2.jpg", "3.jpg")] == ["error"] * 3
    assert ["5 (" in told[0], "segment 9" in told[1], "cannot be read" in told[2]] == [True] * 3
    assert "unknown class" in {f.kind for f in found.values()}
    kept = [one["classes"].tolist() for one in examples(made(tmp_path, on_bad="skip"))]
    assert kept == [[0, 0, -1]]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["categories"].clear(),
        lambda d: [one.update(isthing=0) for one in d["categories"]],
        lambda d: d.pop("annotations"),
    ],
    ids=["no categories", "no things", "no annotations"],
)
def test_files_without_objects_are_refused(change, tmp_path):
    panoptic(tmp_path, change)
    with refuses(DataError):
        made(tmp_path).listing()


def voc(folder):
    """Three photos, of which two have masks and are listed, one for each split; borders are 255 in both masks."""
    rng = np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "SegmentationObject", "Annotations", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    objects = np.zeros((18, 25), np.uint8)
    objects[2:9, 2:9], objects[3:8, 3:8] = 255, 1
    objects[8:17, 12:23], objects[9:16, 13:22] = 255, 2
    classes = np.where(objects == 1, 15, np.where(objects == 2, 7, objects)).astype(np.uint8)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (18, 25, 3), np.uint8)).save(folder / "JPEGImages" / f"{i}.jpg")
        (folder / "Annotations" / f"{i}.xml").write_text("<annotation/>")
    for i in range(2):
        for name, values in (("SegmentationClass", classes), ("SegmentationObject", objects)):
            picture = Image.fromarray(np.roll(values, i, 1))
            picture.putpalette([n for k in range(256) for n in (k, 255 - k, k)])
            picture.save(folder / name / f"{i}.png")
    for split, name in (("train", "1"), ("val", "0"), ("trainval", "0\n1")):
        (folder / "ImageSets" / "Segmentation" / f"{split}.txt").write_text(f"{name}\n")
    return objects, classes


def test_classes_of_pascal_voc_are_read_by_its_lists(tmp_path):
    _, classes = voc(tmp_path)
    source = made(tmp_path, "masks", values={0: "background", 7: "car", 15: "person"}, void=255)
    listing = source.listing()
    assert {split: [e.path[-5:] for e in members] for split, members in listing.splits.items()} == {
        "train": ["1.jpg"],
        "val": ["0.jpg"],
    }
    assert not listing.is_divided and not listing.faults
    (one,) = examples(source, "val")
    assert np.array_equal(
        one["label"][..., 0], np.select([classes == 7, classes == 15, classes == 255], [1, 2, 255], 0)
    )


def test_objects_of_pascal_voc_have_the_class_of_their_pixels(tmp_path):
    objects, _ = voc(tmp_path)
    folders = {"masks": tmp_path / "SegmentationObject", "kinds": tmp_path / "SegmentationClass"}
    source = made(tmp_path / "JPEGImages", "instances", values={7: "car", 15: "person"}, **folders)
    assert set(source.listing().splits) == {"train", "val"}
    (one,) = examples(source, "val")
    assert one["classes"].tolist() == [1, 0]
    assert all(np.array_equal(mask(one["masks"], k), objects == k + 1) for k in range(2))
    with refuses(DataError):
        made(tmp_path / "JPEGImages", "instances", **folders).listing()


def test_real_files_come_back_as_they_are(shared_data):
    """Every segment of COCO's files is one of the picture made of the features, but that stuff of a class is one."""
    root = shared_data / "coco128"
    path = root / "panoptic_segmentation" / "annotations" / "panoptic_train2017.json"
    source = made(path, images=root / "images" / "train2017", holdout=0.04)
    classes, document = SegmentClasses.of(source.features()), json.loads(path.read_text())
    names = {one["id"]: one["name"] for one in document["categories"]}
    said = {one["file_name"]: one["segments_info"] for one in document["annotations"]}
    assert (len(classes.things), len(classes.stuff)) == (80, 53)
    entries = source.listing().splits["val"]
    for entry, one in zip(entries, examples(source, "val"), strict=True):
        name = entry.path.rpartition("/")[2].replace(".jpg", ".png")
        colours = np.asarray(Image.open(path.with_suffix("") / name).convert("RGB")).astype(int)
        numbers = colours @ [1, 256, 65536]
        rows = one["places"], one["classes"], one["ignored"]
        found, segments = true_segments(classes, one["masks"], *rows, one["label"][..., 0])
        kinds = {segment.number: (classes.names[segment.kind], segment.is_ignored) for segment in segments}
        assert np.array_equal(found == 0, numbers == 0)
        for segment in said[name]:
            (number,) = np.unique(found[numbers == segment["id"]]).tolist()
            assert kinds[number] == (names[segment["category_id"]], bool(segment["iscrowd"]))
