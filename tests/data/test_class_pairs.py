"""Pairs of examples, of one class or of two: shares, classes, splits; arrays and files alike."""

import numpy as np
import pytest

from archspec.data.check import check, glance
from archspec.data.errors import DataError
from archspec.data.source import DataSource
from archspec.data.sources.digits import Digits
from archspec.data.sources.npz import Npz
from archspec.data.sources.pairs import Pairs
from tests.wording import refuses


@pytest.mark.parametrize(("same", "each"), [(0.5, 2), (0.25, 3), (1, 1), (0, 1)])
def test_pairs_are_of_the_classes_that_they_are_said_to_be_of(same, each):
    digits, source = Digits(), Pairs(of=Digits(), same=same, each=each)
    for split, count in digits.features().splits.items():
        found, one = source.arrays(split), digits.arrays(split)
        assert len(found["a"]) == len(found["b"]) == count * each == source.features().splits[split]
        known = {}
        for image, label in zip(one["image"], one["label"], strict=True):
            known.setdefault(image.tobytes(), set()).add(int(label))
        # A pair stays in its split, and begins with each example in turn.
        np.testing.assert_array_equal(found["a"], np.repeat(one["image"], each, axis=0))
        for image, other, label, first in zip(
            found["a"], found["b"], found["label"], np.repeat(one["label"], each), strict=True
        ):
            seconds = known[other.tobytes()]
            assert (int(first) in seconds) if label else bool(seconds - {int(first)})
            assert image.shape == (8, 8, 1)
        assert found["label"].sum() == int(count * each * same)


def test_no_example_stands_beside_itself_and_the_others_come_evenly(tmp_path):
    labels = np.array([0] * 5 + [1] * 20 + [2] * 15)
    np.savez(tmp_path / "p.npz", x_train=np.arange(40.0)[:, None, None], y_train=labels)
    source = Pairs(of=Npz(path=tmp_path / "p.npz"), each=400)
    found = source.arrays("train")
    first, second = (found[name].reshape(-1).astype(int) for name in "ab")
    assert (first != second).all()
    counts = np.zeros((40, 40))
    np.add.at(counts, (first, second), 1)
    for k in range(40):
        own = np.flatnonzero(labels == labels[k])
        for members, draws in ((own[own != k], 200), (np.flatnonzero(labels != labels[k]), 200)):
            expected = draws / len(members)
            assert np.abs(counts[k, members] - expected).max() < 6 * expected**0.5 + 1


def test_one_class_or_a_lonely_example_is_refused(tmp_path):
    np.savez(tmp_path / "one.npz", x_train=np.zeros((4, 2, 2)), y_train=np.zeros(4, int))
    np.savez(tmp_path / "lonely.npz", x_train=np.zeros((4, 2, 2)), y_train=np.array([0, 0, 0, 1]))
    with refuses(DataError):
        Pairs(of=Npz(path=tmp_path / "one.npz")).arrays("train")
    with refuses(DataError):
        Pairs(of=Npz(path=tmp_path / "lonely.npz")).arrays("train")


@pytest.mark.slow
@pytest.mark.tensorflow
def test_files_are_paired_as_arrays_are(tmp_path):
    """A folder of images, and their pixels as arrays: the same pairs, in any order that is asked for."""
    import tensorflow as tf
    from PIL import Image

    draw = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (tmp_path / "photos" / split / name).mkdir(parents=True)
            for k in range(3):
                pixels = draw.integers(0, 256, (6, 6, 1)).astype("uint8")
                Image.fromarray(pixels[..., 0]).save(tmp_path / "photos" / split / name / f"{k}.png")
    folder = DataSource.find("folder")(path=tmp_path / "photos", channels=1)
    source = Pairs(of=folder, each=2)
    whole = [{n: v.numpy() for n, v in one.items()} for one in folder.open("train")]
    order = tf.data.Dataset.from_tensor_slices(np.array([7, 0, 11, 3], np.int64)).map(
        lambda i: {"index": i, "epoch": i}
    )
    found = list(source.open("train", order))
    pairs = source._pairs("train")
    assert [int(one["index"]) for one in found] == [7, 0, 11, 3] and "epoch" in found[0]
    for one in found:
        first, second = pairs[int(one["index"])]
        np.testing.assert_array_equal(one["a"], whole[first]["image"])
        np.testing.assert_array_equal(one["b"], whole[second]["image"])
        assert bool(one["label"]) == (whole[first]["label"] == whole[second]["label"])


@pytest.fixture
def folders(tmp_path):
    """Six images of two classes in each split, of which the second and the last of a class are broken."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in ("ant", "bee"):
            (tmp_path / split / name).mkdir(parents=True)
            for k in range(6):
                at = tmp_path / split / name / f"{k}.png"
                if k in (1, 5):
                    at.write_bytes(b"\x89PNG, or so it says")
                else:
                    Image.fromarray(draw.integers(0, 256, (6, 6)).astype("uint8")).save(at)
    return tmp_path


@pytest.mark.slow
@pytest.mark.tensorflow
def test_what_is_broken_is_the_second_of_no_pair_and_its_pairs_begin_with_the_next(folders):
    """What is left out are the pairs that begin with a broken image, a third of them, not those that hold one."""
    source = Pairs(of=DataSource.find("folder")(path=folders, channels=1, on_bad="skip"), each=4)
    pairs = source._pairs("val")
    assert not set(pairs[:, 1].tolist()) & {1, 5, 7, 11}
    assert source.usable("val").tolist() == [n for n in range(48) if n // 4 not in {1, 5, 7, 11}]
    labels = source.class_labels("val")
    for one in source.open("val"):
        assert (one["a"].numpy() != one["b"].numpy()).any(), "an image beside itself"
        assert one["label"] == labels[int(one["index"])]


@pytest.mark.tensorflow
def test_a_class_of_which_nothing_can_be_read_has_no_pairs(folders):
    for k in range(6):
        (folders / "val" / "bee" / f"{k}.png").write_bytes(b"nothing")
    source = Pairs(of=DataSource.find("folder")(path=folders, channels=1, on_bad="skip"))
    with refuses(DataError):
        source._pairs("val")


def test_what_pairs_are_made_of_is_looked_at(folders):
    """``data check`` was a defect of the program where pairs were of files."""
    pairs = Pairs(of=DataSource.find("folder")(path=folders, channels=1))
    unpaired = DataSource.find("unpaired")(a=folders / "train" / "ant", b=folders / "val" / "bee", channels=1)
    for source, count in ((pairs, 8), (unpaired, 4)):
        report = check(source)
        assert [finding.severity for finding in report.findings].count("error") == count == len(glance(source))
        assert report.splits == source.features().splits and not report.is_well
    assert {"a, train", "b, train"} <= set(report.sizes)
