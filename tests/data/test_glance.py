"""What is seen of image files without a decoder: bounded, and certain where it refuses."""

import io

import pytest
from PIL import Image

from archspec.data import check, files
from archspec.data.source import DataSource


def photos(folder, count):
    """Class folders of small JPEG files."""
    data = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 30, 30)).save(data, "JPEG")
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for i in range(count):
            (folder / label / f"{i:03}.jpg").write_bytes(data.getvalue())
    return data.getvalue()


def glanced(folder, **arguments):
    source = DataSource.find("folder").model_validate({"path": str(folder), **arguments})
    return [(found.severity, found.where, found.message) for found in check.glance(source)]


def test_sound_files_are_passed(tmp_path):
    photos(tmp_path / "photos", 4)
    assert glanced(tmp_path / "photos") == []


def test_what_no_decoder_takes_is_an_error_and_what_looks_broken_a_note(tmp_path):
    data = photos(tmp_path / "photos", 4)
    bad = {"0": b"", "1": b"no image at all", "2": data[:200]}
    for name, content in bad.items():
        (tmp_path / "photos" / "cat" / f"00{name}.jpg").write_bytes(content)
    found = sorted((severity, where[-7:-4]) for severity, where, _ in glanced(tmp_path / "photos"))
    assert found == [("error", "000"), ("error", "001"), ("note", "002")]
    assert glanced(tmp_path / "photos", on_bad="skip") == []
    assert {s for s, _, _ in glanced(tmp_path / "photos", max_pixels=10)} == {"error"}


def test_few_files_are_read_however_many_there_are(tmp_path, monkeypatch):
    photos(tmp_path / "photos", 100)
    read, content = [], files.content
    monkeypatch.setattr(files, "content", lambda entry, most: read.append(entry) or content(entry, most))
    assert glanced(tmp_path / "photos") == []
    assert len(read) == 2 * check.LOOKED_AT and len({entry.label for entry in read}) == 2


@pytest.mark.parametrize("name", ["digits", "shapes"])
def test_what_is_in_no_files_has_none_to_look_at(name):
    assert check.glance(DataSource.find(name)()) == []
