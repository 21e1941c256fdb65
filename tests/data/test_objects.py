"""Boxes as VOC, COCO and YOLO write them: one set of objects in each convention is read as the same boxes, what is
wrong with an object is told and costs no picture, and boxes lie on what was painted."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archspec.cli import main
from archspec.data.check import check
from archspec.data.errors import DataError
from archspec.data.images import stored_size
from archspec.data.objects import StoredImage, as_stored
from archspec.data.source import DataSource, source_for
from archspec.data.sources.coco import Coco
from archspec.data.sources.voc import Voc
from archspec.data.sources.yolo import Yolo
from tests.data.conftest import picture, save
from tests.wording import refuses, told

NAMES = ("ball", "cat")
BOXES = {
    "a": [("cat", 3, 4, 13, 9), ("ball", 0, 0, 5, 6)],
    "b": [("ball", 10, 2, 20, 12)],
    "c": [("cat", 1, 1, 4, 4), ("cat", 8, 8, 12, 15), ("ball", 0, 10, 24, 16)],
}
WIDTH, HEIGHT = 24, 16


def voc(folder, objects=BOXES, *, size=(WIDTH, HEIGHT), first=1, add=""):
    for stem, rows in objects.items():
        save(folder / "JPEGImages" / f"{stem}.png", picture(HEIGHT, WIDTH, ord(stem)))
        marks = "".join(
            f"<object><name>{name}</name><difficult>{int(stem == 'b')}</difficult><bndbox><xmin>{x1 + first}</xmin>"
            f"<ymin>{y1 + first}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for name, x1, y1, x2, y2 in rows
        )
        path = folder / "Annotations" / f"{stem}.xml"
        path.parent.mkdir(exist_ok=True)
        said = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
        path.write_text(f"<annotation>{said}{marks}{add if stem == 'a' else ''}</annotation>")
    return folder


def yolo(folder, objects=BOXES, add=""):
    for stem, rows in objects.items():
        save(folder / "images" / "train" / f"{stem}.png", picture(HEIGHT, WIDTH, ord(stem)))
        shares = [((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1) for _, x1, y1, x2, y2 in rows]
        lines = [
            f"{NAMES.index(row[0])} {x / WIDTH} {y / HEIGHT} {w / WIDTH} {h / HEIGHT}"
            for row, (x, y, w, h) in zip(rows, shares, strict=True)
        ]
        path = folder / "labels" / "train" / f"{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n" + (add if stem == "a" else ""))
    (folder / "data.yaml").write_text("train: images/train\nnames: {0: ball, 1: cat}\n")
    return folder


def coco(folder, objects=BOXES, change=lambda document: None):
    document = {
        "images": [
            {"id": 5 * k, "file_name": f"{stem}.png", "width": WIDTH, "height": HEIGHT}
            for k, stem in enumerate(objects)
        ],
        "annotations": [],
        "categories": [{"id": 90, "name": "cat"}, {"id": 7, "name": "ball"}],
    }
    for k, (stem, rows) in enumerate(objects.items()):
        save(folder / "train2017" / f"{stem}.png", picture(HEIGHT, WIDTH, ord(stem)))
        for name, x1, y1, x2, y2 in rows:
            own = {"id": len(document["annotations"]), "image_id": 5 * k, "iscrowd": int(stem == "b")}
            category = {"ball": 7, "cat": 90}[name]
            document["annotations"].append({**own, "category_id": category, "bbox": [x1, y1, x2 - x1, y2 - y1]})
    change(document)
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_train2017.json").write_text(json.dumps(document))
    return folder


WRITERS = {"voc": voc, "yolo": yolo, "coco": coco}


def every(source):
    return {
        Path(entry.path).stem: [(*one.box, one.label) for one in entry.objects]
        for entries in source.listing().splits.values()
        for entry in entries
    }


@pytest.mark.parametrize("kind", WRITERS)
def test_one_set_of_objects_is_read_out_of_each_convention(kind, tmp_path):
    folder = WRITERS[kind](tmp_path / "set")
    assert source_for(str(folder))[0] == kind
    source = DataSource.find(kind)(path=folder)
    expected = {stem: [(*row[1:], NAMES.index(row[0])) for row in rows] for stem, rows in BOXES.items()}
    found = every(source)
    assert set(found) == set(expected)
    for stem in expected:
        np.testing.assert_allclose(found[stem], expected[stem], atol=1e-5)
    features = source.features()
    assert features.features["classes"].class_names == NAMES
    assert features.parts["boxes"].shape == (3, 4)
    assert features.targets == ()


@pytest.mark.tensorflow
def test_an_example_is_filled_up_and_knows_what_does_not_count(tmp_path):
    source = Coco(path=coco(tmp_path / "set"), most=4)
    rows = {split: [dict(one) for one in source.open(split)] for split in source.features().splits}
    found = [one for examples in rows.values() for one in examples]
    assert len(found) == 3
    for one in found:
        assert one["boxes"].shape == (4, 4) and one["image"].shape == (HEIGHT, WIDTH, 3)
        count = int((one["classes"] >= 0).numpy().sum())
        assert not one["boxes"][count:].numpy().any()
        # Those of the picture that has one object are crowds.
        assert one["ignored"].numpy().tolist() == [int(count == 1)] * count + [-1] * (4 - count)


def annotation(name="cat", box="<xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax>"):
    return f"<object><name>{name}</name><bndbox>{box}</bndbox></object>"


def sides(*numbers):
    return "".join(f"<{k}>{n}</{k}>" for k, n in zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True))


IN_VOC = {
    "inverted": annotation(box=sides(9, 9, 3, 3)),
    "x, y, width, height": annotation(box=sides(15, 11, 8, 4)),
    "empty": annotation(box=sides(5, 5, 5, 9)),
    "outside": annotation(box=sides(40, 5, 50, 9)),
    "over the border": annotation(box=sides(20, 5, 30, 9)),
    "within a pixel of the border": annotation(box=sides(20, 5, 25, 9)),
    "no number": annotation(box="<xmin>two</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax>"),
    "infinite": annotation(box=sides("inf", 2, 9, 9)),
    "no box": "<object><name>cat</name></object>",
    "no name": annotation(name=""),
    "twice": annotation("cat", sides(4, 5, 13, 9)),
    "tiny": annotation(box=sides(5, 5, 5.5, 9)),
    "whole picture": annotation(box=sides(1, 1, 24, 16)),
}
IN_YOLO = {
    "four numbers": "1 0.5 0.5 0.1\n",
    "words": "cat 0.5 0.5 0.1 0.1\n",
    "half a class": "0.5 0.5 0.5 0.1 0.1\n",
    "a class too many": "2 0.5 0.5 0.1 0.1\n",
    "pixels": "1 12 8 4 4\n",
    "not a number": "1 nan 0.5 0.1 0.1\n",
    "an odd polygon": "1 0.1 0.1 0.2 0.2 0.3 0.3 0.4\n",
    "a negative width": "1 0.5 0.5 -0.1 0.1\n",
}


def in_coco(document, **changes):
    document["annotations"][0].update(changes)


IN_COCO = {
    "three numbers": lambda d: in_coco(d, bbox=[1, 2, 3]),
    "a box of words": lambda d: in_coco(d, bbox="1 2 3 4"),
    "no width": lambda d: in_coco(d, bbox=[1, 2, 0, 4]),
    "an unknown category": lambda d: in_coco(d, category_id=8),
    "a list for a category": lambda d: in_coco(d, category_id=[7]),
    "an unknown image": lambda d: in_coco(d, image_id=1),
    "an id twice": lambda d: in_coco(d, id=1),
    "a crowd of two": lambda d: in_coco(d, iscrowd=2),
    "an image that is not there": lambda d: d["images"][0].update(file_name="other.png"),
    "an image twice": lambda d: d["images"].append({**d["images"][0], "id": 99}),
    "another size": lambda d: d["images"][0].update(width=48, height=32),
}
FAULTS = {
    **{f"voc, {name}": (Voc, voc, {"add": text}) for name, text in IN_VOC.items()},
    **{f"yolo, {name}": (Yolo, yolo, {"add": text}) for name, text in IN_YOLO.items()},
    **{f"coco, {name}": (Coco, coco, {"change": change}) for name, change in IN_COCO.items()},
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_with_an_object_is_told_and_no_other_is_lost(name, tmp_path):
    kind, write, options = FAULTS[name]
    source = kind(path=write(tmp_path / "set", **options))
    told("\n".join(f"{fault.kind}: {fault.where} {fault.message}" for fault in source.listing().faults))
    kept = every(source)
    for stem in {"b", "c"}:
        assert len(kept[stem]) == len(BOXES[stem])


BROKEN = {
    "counts from 0": lambda folder: Voc(path=voc(folder, first=0)).features(),
    "an entity": lambda folder: Voc(path=voc(folder, add="<!DOCTYPE a>")).features(),
    "no such folder": lambda folder: Voc(path=save(folder / "a.png")).features(),
    "fail": lambda folder: Yolo(path=yolo(folder, add=IN_YOLO["words"]), on_object="fail").features(),
    "no names": lambda folder: Yolo(path=changed(yolo(folder), "data.yaml", "train: images/train\n")).features(),
    "a gap in the names": lambda folder: Yolo(
        path=changed(yolo(folder), "data.yaml", "train: images/train\nnames: {0: ball, 2: cat}\n")
    ).features(),
    "a name twice": lambda folder: Yolo(
        path=changed(yolo(folder), "data.yaml", "train: images/train\nnames: [ball, ball]\n")
    ).features(),
    "no such images": lambda folder: Yolo(
        path=changed(yolo(folder), "data.yaml", "train: pictures\nnames: [ball, cat]\n")
    ).features(),
    "no YAML": lambda folder: Yolo(path=changed(yolo(folder), "data.yaml", "train: [\n")).features(),
    "aliases": lambda folder: Yolo(
        path=changed(yolo(folder), "data.yaml", "a: &a [b, b]\ntrain: images/train\nnames: [*a, *a]\n")
    ).features(),
    "no JSON": lambda folder: Coco(
        path=changed(coco(folder), "annotations/instances_train2017.json", "{\n")
    ).features(),
    "no categories": lambda folder: Coco(path=coco(folder, change=lambda d: d.pop("categories"))).features(),
    "a category twice": lambda folder: Coco(
        path=coco(folder, change=lambda d: d["categories"][0].update(name="ball"))
    ).features(),
    "two images of one id": lambda folder: Coco(
        path=coco(folder, change=lambda d: d["images"][1].update(id=0))
    ).features(),
    "an image elsewhere": lambda folder: Coco(
        path=coco(folder, change=lambda d: d["images"][0].update(file_name="../../secret.png"))
    ).features(),
}


def changed(folder, name, text):
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize("name", BROKEN)
def test_what_makes_all_boxes_doubtful_is_refused(name, tmp_path):
    with refuses(DataError):
        BROKEN[name](tmp_path / "set")


def test_a_broken_xml_file_costs_its_own_picture_alone(tmp_path):
    folder = voc(tmp_path / "set")
    (folder / "Annotations" / "a.xml").write_text("<annotation><object>")
    (folder / "Annotations" / "d.xml").write_text("<annotation/>")
    save(folder / "JPEGImages" / "e.png")
    source = Voc(path=folder)
    assert set(every(source)) == {"b", "c"}
    assert Counter(fault.kind for fault in source.listing().faults)["broken annotations"] == 1
    told("\n".join(f"{fault.kind}: {fault.where} {fault.message}" for fault in source.listing().faults))


def test_where_there_is_room_for_few_the_largest_stay(tmp_path):
    source = Voc(path=voc(tmp_path / "set"), most=1)
    assert {stem: len(rows) for stem, rows in every(source).items()} == {"a": 1, "b": 1, "c": 1}
    assert every(source)["a"] == [(3, 4, 13, 9, 1)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_of_the_shown_picture_lies_on_the_same_pixels_of_the_stored_one(orientation):
    # Pillow, not this code, turns the picture as a viewer does.
    stored = np.zeros((HEIGHT, WIDTH), np.uint8)
    stored[3:7, 10:19] = 255
    image = Image.fromarray(stored)
    ways = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    shown = np.asarray(image if orientation == 1 else image.transpose(Image.Transpose(ways[orientation])))
    y, x = np.nonzero(shown)
    box = (float(x.min()), float(y.min()), float(x.max() + 1), float(y.max() + 1))
    assert as_stored(box, StoredImage(WIDTH, HEIGHT, orientation)) == (10, 3, 19, 7)


def test_boxes_of_a_turned_photo_are_brought_to_the_pixels_that_are_decoded(tmp_path):
    folder = voc(tmp_path / "set", {"b": BOXES["b"], "c": BOXES["c"]})
    exif = Image.Exif()
    exif[274] = 6
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    save(folder / "JPEGImages" / "turned.jpg", image, exif=exif)
    said = f"<size><width>{HEIGHT}</width><height>{WIDTH}</height></size>"
    box = "<object><name>cat</name><bndbox>" + sides(1, 1, 4, 10) + "</bndbox></object>"
    (folder / "Annotations" / "turned.xml").write_text(f"<annotation>{said}{box}</annotation>")
    # The upper left of what is shown is the lower left of what is stored.
    assert every(Voc(path=folder))["turned"] == [(0, HEIGHT - 4, 10, HEIGHT, 1)]


def test_exif_is_found_behind_a_segment_that_is_filled_up(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = save(tmp_path / "turned.jpg", np.zeros((HEIGHT, WIDTH, 3), np.uint8), exif=exif)
    assert stored_size(path) == (WIDTH, HEIGHT, 6)
    data = path.read_bytes()
    at = data.index(b"\xff\xe1")
    path.write_bytes(data[:at] + b"\xff\xff" + data[at:])
    assert stored_size(path) == (WIDTH, HEIGHT, 6)


def test_a_polygon_of_yolo_has_the_box_about_it(tmp_path):
    folder = yolo(tmp_path / "set", add="1 0.25 0.25 0.5 0.75 0.75 0.5\n")
    np.testing.assert_allclose(every(Yolo(path=folder))["a"][-1], (6, 4, 18, 12, 1))


@pytest.mark.tensorflow
def test_check_counts_objects_and_show_draws_them(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = yolo(tmp_path / "set", {**BOXES, "d": [("cat", 2, 2, 20, 14)], "e": [("ball", 2, 2, 20, 14)]})
    assert main(["data", "check", str(folder)]) == 0
    told(capsys.readouterr().out)
    assert check(Yolo(path=folder)).classes == {"ball": {"train": 4}, "cat": {"train": 4}}
    assert main(["data", "show", str(folder), "--examples", "2", "--draws", "1", "--tile", "48", "--out", "s.png"]) == 0
    sheet = np.asarray(Image.open("s.png")).reshape(-1, 3)
    # The colours of the two classes, which no grey-blue picture has.
    assert (sheet == (230, 25, 75)).all(1).any() and (sheet == (60, 180, 75)).all(1).any()


@pytest.mark.tensorflow
def test_real_sets_have_the_objects_that_their_papers_count(shared_data, tmp_path):
    blood = Voc(path=shared_data / "bccd")
    names = blood.features().features["classes"].class_names
    found = Counter(
        names[one.label] for entries in blood.listing().splits.values() for e in entries for one in e.objects
    )
    # 4,888 objects, of which two have no area.
    assert found == {"RBC": 4155 - 2, "WBC": 372, "Platelets": 361}
    assert {split: len(entries) for split, entries in blood.listing().splits.items()} == {
        "train": 205,
        "val": 87,
        "test": 72,
    }
    assert [fault.kind for fault in blood.listing().faults] == ["empty", "empty"]
    common = shared_data / "coco128"
    (tmp_path / "data.yaml").write_text((common / "object_detection" / "config.yaml").read_text().replace("val:", "v:"))
    (tmp_path / "images").symlink_to(common / "images")
    photos = Yolo(path=tmp_path, labels=common / "object_detection" / "labels")
    # 753 in all, of which 12 are of two photos that are not there.
    assert sum(len(entry.objects) for entries in photos.listing().splits.values() for entry in entries) == 741
