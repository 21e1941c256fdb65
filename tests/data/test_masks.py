"""Folders of images and masks against masks that Pillow wrote."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from archspec.data.check import check
from archspec.data.errors import DataError
from archspec.data.source import source_for
from tests.data.conftest import picture, save
from tests.data.test_sources import made, read

pytestmark = pytest.mark.tensorflow

CLASSES = np.random.default_rng(0).integers(0, 3, (12, 16)).astype(np.uint8)
COLOURS = np.array([(0, 0, 0), (128, 64, 0), (0, 0, 255)], np.uint8)


def as_palette(classes):
    image = Image.fromarray(classes)
    image.putpalette(COLOURS.reshape(-1).tolist())
    return image


def folders(root, mask, count=5, images="images", masks="masks"):
    for i in range(count):
        save(root / images / f"{i}.jpg", picture(seed=i))
        path = root / masks / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)
    return root


FORMS = [
    (Image.fromarray(CLASSES), {}, ("0", "1", "2")),
    (Image.fromarray(CLASSES), {"values": ["sky", "road", "car"]}, ("sky", "road", "car")),
    (as_palette(CLASSES), {}, ("0", "1", "2")),
    (Image.fromarray(COLOURS[CLASSES]), {}, ("#000000", "#0000ff", "#804000")),
    (
        Image.fromarray(COLOURS[CLASSES]),
        {"values": {"#000000": "sky", "#804000": "road", "#0000FF": "car"}},
        ("sky", "road", "car"),
    ),
    (
        as_palette(CLASSES),
        {"values": {"#000000": "sky", "#804000": "road", "#0000ff": "car"}},
        ("sky", "road", "car"),
    ),
    (Image.fromarray(np.repeat(CLASSES[..., None], 3, 2)), {}, ("0", "1", "2")),
    (Image.fromarray(CLASSES.astype(np.uint16) * 300), {"values": {0: "a", 300: "b", 600: "c"}}, ("a", "b", "c")),
]


@pytest.mark.fast(2)
@pytest.mark.parametrize(("mask", "arguments", "names"), FORMS)
def test_numbers_palettes_and_colours_are_classes(mask, arguments, names, tmp_path):
    source = made("masks", path=folders(tmp_path, mask), **arguments)
    said = source.features()
    assert (said.classes, said.class_names, dict(said.splits)) == (3, names, {"train": 4, "val": 1})
    order = [0, 2, 1] if names[1] == "#0000ff" else [0, 1, 2]
    for one in read(source, "train"):
        assert one["label"].dtype == np.uint8 and one["label"].shape == (12, 16, 1)
        assert np.array_equal(one["label"][..., 0], np.array(order)[CLASSES])


def test_what_is_void_comes_as_255_and_two_values_may_be_one_class(tmp_path):
    path = folders(tmp_path, Image.fromarray(CLASSES))
    one = read(made("masks", path=path, values={0: "a", 1: "b"}, void=2), "val")[0]
    assert np.array_equal(one["label"][..., 0], np.array([0, 1, 255])[CLASSES])
    both = made("masks", path=path, values={0: "a", 1: "b", 2: "b"})
    assert both.features().class_names == ("a", "b")
    assert np.array_equal(read(both, "val")[0]["label"][..., 0], np.minimum(CLASSES, 1))


@pytest.mark.parametrize(("values", "names"), [([0, 255], ("0", "255")), ([0, 1, 255], ("0", "1"))])
def test_255_is_void_beside_two_others(values, names, tmp_path):
    mask = np.array(values, np.uint8)[np.minimum(CLASSES, len(values) - 1)]
    assert made("masks", path=folders(tmp_path, Image.fromarray(mask))).features().class_names == names


LAYOUTS = [
    [("images", "masks")],
    [("image/train", "label/train"), ("image/val", "label/val")],
    [("train/imgs", "train/masks"), ("test/imgs", "test/masks")],
    [("train", "trainannot"), ("val", "valannot")],
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_folders_are_found_and_known_from_class_folders(layout, tmp_path):
    for images, masks in layout:
        folders(tmp_path, Image.fromarray(CLASSES), images=images, masks=masks)
    assert source_for(str(tmp_path)) == ("masks", {"path": str(tmp_path)})
    splits = dict(made("masks", path=tmp_path).features().splits)
    assert splits == ({"train": 4, "val": 1} if len(layout) == 1 else dict.fromkeys(splits, 5))
    assert "train" in splits and len(splits) == 2


def test_class_folders_stay_class_folders(tmp_path):
    for name in ("cat", "dog"):
        save(tmp_path / name / "1.jpg")
    assert source_for(str(tmp_path))[0] == "folder"


def test_a_mask_may_be_called_so(tmp_path):
    save(tmp_path / "images" / "a.jpg")
    save(tmp_path / "images" / "b.jpg", picture(seed=1))
    for name in "ab":
        save(tmp_path / "masks" / f"{name}_mask.png", CLASSES)
    entry = made("masks", path=tmp_path).listing().splits["train"][0]
    assert (entry.path[-5:], entry.mask[-10:]) in [("a.jpg", "a_mask.png"), ("b.jpg", "b_mask.png")]


def test_a_mask_of_a_photo_that_is_turned_may_be_of_what_is_shown(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    path = folders(tmp_path, Image.fromarray(CLASSES), count=2)
    for name in ("0", "1"):
        save(path / "images" / f"{name}.jpg", picture(), exif=exif)
    turned = Image.fromarray(CLASSES)
    turned.getexif()[274] = 6
    ImageOps.exif_transpose(turned).save(path / "masks" / "1.png")
    source = made("masks", path=path, values=["a", "b", "c"], holdout=0.5)
    assert not [f for f in check(source).findings if f.severity == "error"]
    assert all(
        np.array_equal(one["label"][..., 0], CLASSES) for split in ("train", "val") for one in read(source, split)
    )


def test_what_is_wrong_with_masks_is_found(tmp_path):
    path = folders(tmp_path, Image.fromarray(CLASSES), count=9)
    Image.fromarray(CLASSES.T.copy()).save(path / "masks" / "1.png")
    odd = CLASSES.copy()
    odd[0, :4], odd[1, :2] = 7, 9
    Image.fromarray(odd).save(path / "masks" / "2.png")
    Image.fromarray(CLASSES).save(path / "masks" / "3.jpg")
    (path / "masks" / "3.png").unlink()
    (path / "masks" / "4.png").write_bytes(b"no image")
    (path / "masks" / "5.png").unlink()
    save(path / "masks" / "other.png", CLASSES)
    source = made("masks", path=path, values=["a", "b", "c"])
    found = {f.where.rpartition("/")[2]: (f.severity, f.message) for f in check(source).findings if f.kind != "twice"}
    place = f"{path}/masks"
    assert found["1.jpg"] == ("error", f"is 16×12 pixels and its mask 12×16: {place}/1.png")
    assert found["2.jpg"] == ("error", f"has a mask with values that are no class: 7 (2.1 %), 9 (1 %) ({place}/2.png)")
    assert found["3.jpg"][1].startswith("has a mask that is a JPEG file, which keeps no values")
    assert found["4.jpg"] == ("error", f"has a mask that cannot be read (not an image): {place}/4.png")
    assert found["5.jpg"] == ("note", f"has no mask in {place}; it is left out")
    assert found["other.png"] == ("note", f"has no image in {path}/images")
    with pytest.raises(DataError, match="cannot be read"):
        read(source, "train")
    kept = made("masks", path=path, values=["a", "b", "c"], on_bad="skip", holdout=0.3)
    assert all(np.array_equal(one["label"][..., 0], CLASSES) for one in read(kept, "train"))


@pytest.mark.parametrize(
    ("masks", "message"),
    [({}, "no folder of images beside one of masks"), ({"x.png": CLASSES}, "no image of .* has a mask in")],
)
def test_nothing_that_belongs_together(masks, message, tmp_path):
    save(tmp_path / "images" / "a.jpg")
    for name, mask in masks.items():
        save(tmp_path / "masks" / name, mask)
    with pytest.raises(DataError, match=message):
        made("masks", path=tmp_path).features()


def test_masks_of_one_value_teach_nothing(tmp_path):
    with pytest.raises(DataError, match="all pixels of the masks have the value 0"):
        made("masks", path=folders(tmp_path, Image.fromarray(CLASSES * 0))).features()
