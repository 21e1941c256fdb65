"""Splits and classes out of the names of folders, in folders and archives alike; and tables that are not square."""

import csv
import os
import zipfile

import pytest

from archspec.data.errors import DataError
from archspec.data.layout import scan_class_folders, split_of
from archspec.data.sources.folder import Folder, ListFile, Zip
from archspec.data.sources.pictures import Pictures
from archspec.data.sources.text import Text
from archspec.data.sources.text_pairs import TextPairs
from tests.data.conftest import save
from tests.wording import refuses


def tree(*roots, classes=("cat", "dog"), count=2):
    return [f"{root}{name}/{i}.png" for root in roots for name in classes for i in range(count)]


def folders_of(files):
    return {"/".join(f.split("/")[:n]) for f in files for n in range(1, f.count("/") + 1)}


def of(files, folders=()):
    return scan_class_folders("here", files, {*folders_of(files), *folders}, 0.5, 0)


@pytest.mark.parametrize("train", ["train", "Train", "training", "TRAINING", "training_set"])
@pytest.mark.parametrize(
    ("held", "means"),
    [
        *(("valid", "val"), ("validation", "val"), ("Val", "val"), ("dev", "val")),
        *(("Test", "test"), ("testing", "test"), ("eval", "test"), ("evaluation", "test")),
        *(("test_set", "test"), ("Validation Set", "val"), ("valset", "val")),
    ],
)
def test_the_usual_names_of_splits_are_taken_as_such_in_any_case(train, held, means):
    found = of(tree(f"{train}/", f"{held}/"))
    assert found.names == ("cat", "dog") and not found.is_divided
    assert {split: len(members) for split, members in found.splits.items()} == {"train": 4, means: 4}
    assert all(path.startswith(f"{held}/") for path, _ in found.splits[means])


def test_three_splits_are_what_they_are_called():
    found = of(tree("Training/") + tree("valid/", count=1) + tree("testing/", count=3))
    assert {split: len(members) for split, members in found.splits.items()} == {"train": 4, "val": 2, "test": 6}
    assert list(found.splits) == ["train", "val", "test"]


def test_a_folder_to_train_on_alone_is_divided():
    found = of(tree("train/"))
    assert found.names == ("cat", "dog") and found.is_divided
    assert {split: len(members) for split, members in found.splits.items()} == {"train": 2, "val": 2}


def test_a_class_may_be_called_as_a_split_is():
    found = of(tree("", classes=("car", "train", "test")))
    assert found.names == ("car", "test", "train") and found.is_divided


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (tree("fold1/", "fold2/"), "here/fold1 holds folders and no images: it is no class"),
        (tree("train/", "valid/", "val/"), "here: val/ and valid/ are both the split val"),
        (tree("train/", "vaild/"), "here: vaild/ holds classes as train/ does, and is called as no split"),
        (tree("Test/"), "here has Test/ and no folder train/ beside it"),
        (["train/1.png", "test/2.png"], "here: test/, train/ hold images and no class folders"),
        (tree("train/") + tree("test/", classes=("cat", "cow")), "here/test/cow: class 'cow' is not among those of"),
        (tree("train/") + tree("train/more/"), "here/train/more holds folders and no images: it is no class"),
    ],
)
def test_folders_that_are_neither_are_refused(files, message):
    with pytest.raises(DataError) as caught:
        of(files)
    assert caught.value.message.startswith(message)


def test_pictures_of_a_class_may_lie_in_folders_beside_others():
    assert of([*tree(""), "cat/more/3.png"]).names == ("cat", "dog")


def test_unlabelled_files_of_a_split_are_left_out():
    found = of([*tree("train/"), "test/1.png", "test/2.png"])
    assert found.is_divided and found.strays == ("test/1.png", "test/2.png")


@pytest.mark.parametrize("kind", [Folder, Zip, Pictures])
def test_folders_and_archives_go_by_the_same_names(tmp_path, kind):
    root = tmp_path / "pets"
    for name in tree("Training/", "Validation/", count=1):
        save(root / name)
    if kind is Zip:
        with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
            for path in sorted(root.rglob("*.png")):
                file.write(path, path.relative_to(tmp_path))
        root = tmp_path / "pets.zip"
    assert kind(path=root).features().splits == {"train": 2, "val": 2}
    assert not kind(path=root).features().is_divided


def test_links_that_lead_back_are_left_out_and_told(tmp_path):
    for name in tree("", count=3):
        save(tmp_path / "pets" / name)
    (tmp_path / "pets" / "cat" / "loop").symlink_to("..")
    (tmp_path / "pets" / "dog" / "self").symlink_to(".")
    (tmp_path / "pets" / "again").symlink_to(tmp_path / "pets")
    listing = Folder(path=tmp_path / "pets").listing()
    assert listing.class_names == ("cat", "dog") and sum(map(len, listing.splits.values())) == 6
    assert sorted(os.path.basename(f.where) for f in listing.faults) == ["again", "loop", "self"]
    # One that leads elsewhere is a class as any other.
    save(tmp_path / "cow" / "1.png")
    (tmp_path / "pets" / "cow").symlink_to(tmp_path / "cow")
    assert Folder(path=tmp_path / "pets").listing().class_names == ("cat", "cow", "dog")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_members_that_no_archive_should_have_are_left_out_and_told(tmp_path):
    data = save(tmp_path / "1.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
        for name in [*tree("", count=3), "cat/0.png", "../out/4.png", "/abs/5.png", "cat/../../6.png"]:
            file.writestr(name, data)
    listing = Zip(path=tmp_path / "pets.zip").listing()
    assert listing.class_names == ("cat", "dog") and sum(map(len, listing.splits.values())) == 6
    assert sorted(f.kind for f in listing.faults) == ["leads outside the archive"] * 3 + ["several members of one name"]


def test_an_empty_class_of_an_archive_is_refused_as_that_of_a_folder(tmp_path):
    data = save(tmp_path / "1.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as file:
        for name in tree("", count=3):
            file.writestr(name, data)
        file.writestr("empty/", b"")
    with refuses(DataError):
        Zip(path=tmp_path / "pets.zip").listing()


def test_words_that_mean_no_split():
    assert [split_of(w) for w in ("", "trains", "cat", "tests", "set", "train_cat", "asset")] == [None] * 7


SQUARE = "label,text,split\npos,good,train\nneg,bad,Training\npos,fine,valid\nneg,awful,dev\n"


def test_splits_in_tables_go_by_the_same_names(tmp_path):
    (tmp_path / "a.csv").write_text(SQUARE)
    assert Text(path=tmp_path / "a.csv").features().splits == {"train": 2, "val": 2}
    (tmp_path / "b.csv").write_text(SQUARE.replace("text", "path"))
    assert {s: len(e) for s, e in ListFile(path=tmp_path / "b.csv").listing().splits.items()} == {"train": 2, "val": 2}
    (tmp_path / "c.csv").write_text(SQUARE.replace("text", "source").replace("label", "target"))
    assert TextPairs(path=tmp_path / "c.csv").features().splits == {"train": 2, "val": 2}


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        # The first is the ragged.csv of the inputs that people's work brought up.
        ("neg,bad,Training", "neg,bad,extra,Training", 3, "4 cells, the first row has 3"),
        ("neg,bad,Training", "neg,bad", 3, "2 cells, the first row has 3"),
        ("neg,bad,Training", 'neg,"bad,Training', 3, "a quotation mark is never closed"),
        ("neg,bad,Training", 'neg,"bad" and more,Training', 3, "',' expected after '\"'"),
        ("pos,good,train", 'pos,"two\nlines",train\nneg,a,b,train', 4, "4 cells, the first row has 3"),
    ],
)
def test_rows_that_lose_or_move_cells_are_refused_with_their_line(tmp_path, old, new, line, message):
    assert old in SQUARE
    for name, kind, words in (
        ("text.csv", Text, {}),
        ("list.csv", ListFile, {"text": "path"}),
        ("pairs.csv", TextPairs, {"text": "source", "label": "target"}),
    ):
        table = SQUARE.replace(old, new)
        for word, other in words.items():
            table = table.replace(word, other, 1)
        (tmp_path / name).write_text(table)
        with pytest.raises(DataError) as caught:
            kind(path=tmp_path / name).features()
        assert caught.value.message.startswith(f"{tmp_path / name}, line {line}: {message}")


def test_what_spreadsheets_write_is_read(tmp_path):
    """Empty cells at the end, a byte order mark, Windows' ends of lines, empty rows, quoted delimiters and lines."""
    rows = [["label", "text"], ["pos", 'a "good", long\nfilm'], ["neg", "bad"], ["pos", "fine"], ["neg", "awful"]]
    with (tmp_path / "a.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([*rows[:3], [], *rows[3:]])
    text = (tmp_path / "a.csv").read_text(encoding="utf-8").replace("neg,bad", "neg,bad,,")
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert sum(Text(path=tmp_path / "a.csv").features().splits.values()) == 4


def test_arrays_go_by_the_same_names(tmp_path):
    import numpy as np

    from archspec.data.sources.npz import Npz

    x, y = np.zeros((4, 2, 2, 1), "uint8"), np.arange(4) % 2
    np.savez(tmp_path / "a.npz", x_train=x, y_train=y, x_valid=x[:2], y_valid=y[:2], x_test=x[:3], y_test=y[:3])
    assert Npz(path=tmp_path / "a.npz").features().splits == {"train": 4, "val": 2, "test": 3}
