"""Objects and classes drawn on copies of photos: in their places whichever way EXIF turns them, and legible."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from archspec.data.annotated import DrawnBox, draw
from archspec.data.canvas import colour
from archspec.data.objects import StoredImage, as_shown, as_stored
from archspec.runs.beside import ORIENTATION, files_beside, read_picture
from archspec.runs.drawings import drawn, ending, overlaid, write_picture
from archspec.training.errors import RunError
from tests.wording import refuses


def turned(pixels, orientation, folder):
    """A photo whose EXIF data say how it is turned, and its pixels as Pillow shows it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = folder / "photo.png"
    Image.fromarray(pixels).save(photo, exif=exif)
    with Image.open(photo) as given:
        return photo, np.asarray(ImageOps.exif_transpose(given))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_box_is_drawn_where_its_pixels_are_shown(orientation, tmp_path):
    """Pillow turns the photo; around the bright pixels stands the line."""
    pixels = np.full((60, 90, 3), 20, np.uint8)
    pixels[10:30, 40:75] = 250
    photo, shown = turned(pixels, orientation, tmp_path)
    rows, columns = np.nonzero(shown[..., 0] > 200)
    box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    stored = StoredImage(90, 60, orientation)
    assert as_shown((40, 10, 75, 30), stored) == box
    assert as_stored(as_shown((1, 2, 30, 44), stored), stored) == (1, 2, 30, 44)
    copy = tmp_path / "copy.png"
    found = {"class": "cell", "score": 0.8, "box": [40, 10, 75, 30]}
    unsure = {"class": "cell", "score": 0.2, "box": [0, 0, 90, 60]}
    picture = drawn(read_picture(photo, pixels=True), {"objects": [found, unsure]}, ("other", "cell"), 0.3)
    assert write_picture(copy, picture) == {"drawing": str(copy)}
    with Image.open(copy) as made:
        seen = np.asarray(made)
        assert made.getexif().get(ORIENTATION) is None
    assert seen.shape == shown.shape
    lines = (seen == colour(1)).all(-1)
    x1, y1, x2, y2 = box
    assert lines[y2 - 1, x1:x2].all() and lines[y2 - 4 : y2, x2 - 1].all() and not lines[y2:, x1:x2].any()
    assert not lines[0, 0] or y1 < 20


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_point_is_drawn_where_its_pixels_are_shown(orientation, tmp_path):
    """Pillow turns the photo; the dot is on its bright pixels, and reaches little further."""
    pixels = np.full((60, 90, 3), 20, np.uint8)
    pixels[48:52, 78:82] = 250
    photo, shown = turned(pixels, orientation, tmp_path)
    rows, columns = np.nonzero(shown[..., 0] > 200)
    face = {"class": "a", "score": 0.9, "box": [2, 8, 12, 16], "points": [[80.0, 50.0], [900.0, -900.0]]}
    made = np.asarray(drawn(read_picture(photo, pixels=True), {"objects": [face]}, ("a",), 0.3))
    inner = made[rows.min() - 4 : rows.max() + 5, columns.min() - 4 : columns.max() + 5]
    dots = np.argwhere((inner == colour(0)).all(-1)) - 4
    assert len(dots) and dots.min() >= 0 and dots.max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_classes_of_pixels_are_drawn_where_they_are_shown(orientation, tmp_path):
    """Where the photo is bright the copy has the colour of the class, and is the photo elsewhere."""
    pixels = np.full((60, 90, 3), 20, np.uint8)
    pixels[10:30, 40:75] = 250
    mask = np.where(pixels[..., 0] > 200, 2, 0).astype(np.uint8)
    mask[50:, :20] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo, copy = tmp_path / "photo.png", tmp_path / "copy.png"
    Image.fromarray(pixels).save(photo, exif=exif)
    assert write_picture(copy, overlaid(read_picture(photo, pixels=True), mask)) == {"drawing": str(copy)}
    with Image.open(photo) as given, Image.open(copy) as made:
        shown, drawn = np.asarray(ImageOps.exif_transpose(given)), np.asarray(made)
        assert made.getexif().get(ORIENTATION) is None
    bright = shown[..., 0] > 200
    assert (drawn[~bright] == 20).all()
    np.testing.assert_allclose(drawn[bright], np.tile((250 + np.array(colour(2))) / 2, (bright.sum(), 1)), atol=0.51)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_segments_are_drawn_where_they_are_shown_and_named(orientation, tmp_path):
    """Half their colours within, the colours themselves along their edges, and the name of what is no object inside."""
    numbers = np.ones((180, 270), int) * 9
    numbers[40:100, 120:200] = 1
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((180, 270, 3), 20, np.uint8)).save(photo, exif=exif)
    objects = [{"class": "cell", "score": 0.8, "box": [120, 40, 200, 100]}]
    kinds = [{"id": 1, "class": "cell", "is_thing": True}, {"id": 9, "class": "ground", "is_thing": False}]
    record = {"objects": objects, "segments": kinds}
    seen = np.asarray(drawn(read_picture(photo, pixels=True), record, ("other", "cell"), 0.3, numbers)).astype(int)
    turned = Image.fromarray(numbers.astype(np.uint8))
    turned.getexif()[ORIENTATION] = orientation
    shown = np.asarray(ImageOps.exif_transpose(turned))
    assert seen.shape[:2] == shown.shape
    y, x = np.nonzero(shown == 1)
    inner = seen[y.min() + 20 : y.max() - 3, x.min() + 3 : x.max() - 3]
    assert np.abs(inner - (20 + np.array(colour(1))) / 2).max() <= 1
    assert (seen[y.max(), x.min() : x.max()] == colour(1)).all()
    # The name stands on its colour, once, outside of the object.
    rows, columns = np.nonzero((seen == colour(9)).all(-1) & (np.minimum(*np.indices(shown.shape)) > 2))
    here = np.array([(r, c) for r, c in zip(rows, columns, strict=True) if shown[r, c] == 9 and r < shown.shape[0] - 3])
    here = here[here[:, 1] < shown.shape[1] - 3]
    assert len(here) > 100


def test_colours_of_classes_are_stable_and_apart():
    some = [colour(k) for k in range(80)]
    assert some == [colour(k) for k in range(80)] and len(set(some)) == 80
    assert all(0 <= n <= 255 for one in some for n in one)


@pytest.mark.parametrize("box", [(2, 2, 30, 30), (380, 1, 400, 40), (-20, 290, 500, 340), (5, 150, 5, 150)])
def test_what_is_written_stays_in_the_picture(box):
    """At corners and beyond: black or white letters stand on the class's colour, whole."""
    picture = Image.new("RGB", (400, 300), (90, 90, 90))
    draw(picture, [DrawnBox(box, 0, "platelets 0.87")])
    pixels = np.asarray(picture).astype(int)
    letters = pixels.min(-1) > 130  # white, on a dark red
    rows, columns = np.nonzero(letters)
    assert letters.sum() > 60 and columns.min() > 0 and columns.max() < 399 and rows.min() > 0 and rows.max() < 299


def test_copies_do_not_overwrite(tmp_path):
    one, other = tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.JPG"
    assert ending(one) == ending(other) == ".jpg" and ending(tmp_path / "x.bmp") == ".png"
    with refuses(RunError):
        files_beside([one, other], tmp_path / "out", "drawing", ending)
    with refuses(RunError):
        files_beside([one], tmp_path / "a", "drawing", ending)
