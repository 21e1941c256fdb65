"""All of other data as one split, and classes by the names of a run."""

import numpy as np
import pytest

from archspec.data.errors import DataError
from archspec.data.given import ALL, Given, _renumbered
from archspec.data.sources.coco import Coco
from archspec.data.sources.folder import Folder
from archspec.data.sources.npz import Npz
from archspec.data.sources.tagged import Tagged
from archspec.data.sources.text_pairs import TextPairs
from tests.data.conftest import picture, save
from tests.data.test_objects import coco
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


def batches(source, split, size):
    """Every example in batches, as an evaluation reads them."""
    import tensorflow as tf

    order = tf.data.Dataset.range(source.features().splits[split]).batch(size).map(lambda i: {"index": i})
    return [{name: value.numpy() for name, value in batch.items()} for batch in source.open(split, order)]


def sentences():
    return "".join(f"{'word ' * (i % 5 + 1)}".replace(" ", f" {'AB'[i % 2]}\n") + "\n" for i in range(20))


def test_sentences_of_all_splits_are_padded_to_their_batch(tmp_path):
    (tmp_path / "a.conll").write_text(sentences())
    own = Tagged(path=tmp_path / "a.conll")
    found = batches(Given(source=own), ALL, 4)
    wanted = [row for split in ("train", "val") for batch in batches(own, split, 1) for row in batch["tokens"]]
    rows = [row for batch in found for row in batch["tokens"]]
    assert len(rows) == len(wanted) == 20
    for row, alone in zip(rows, wanted, strict=True):
        np.testing.assert_array_equal(row[: len(alone)], alone)
        assert not row[len(alone) :].any()
    for batch in found:
        assert (batch["tokens"] != 0).any(0)[-1], "no batch is longer than its longest"
        np.testing.assert_array_equal(batch["label"] == -1, batch["tokens"] == 0)


def test_pairs_of_all_splits_are_padded_to_their_batch(tmp_path):
    rows = "\n".join(f"{'a ' * (i % 6 + 1)},{'b ' * (i % 4 + 1)}" for i in range(24))
    (tmp_path / "a.csv").write_text(f"source,target\n{rows}\n")
    own = TextPairs(path=tmp_path / "a.csv")
    found = batches(Given(source=own), ALL, 5)
    assert sum(len(batch["source"]) for batch in found) == sum(own.features().splits.values()) == 24
    assert all((batch[part] != 0).any(0)[-1] for batch in found for part in ("source", "target"))


def test_classes_are_numbered_as_those_of_the_run(tmp_path):
    for name in ("cow", "cat"):
        for i in range(4):
            save(tmp_path / "pets" / name / f"{i}.png", picture(9, 9, i))
    given = Given(source=Folder(path=tmp_path / "pets"), known=(("label", ("ant", "cat", "dog", "cow")),))
    assert given.features().classes == 4 and given.features().splits == {"train": 7, "val": 1, ALL: 8}
    labels = [int(one["label"]) for one in given.open(ALL)]
    assert [labels.count(n) for n in range(4)] == [0, 4, 0, 4]
    names = [given.describe(ALL, i).split("/")[-2] for i in range(8)]
    assert [("ant", "cat", "dog", "cow")[label] for label in labels] == names
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 2, 2, 1), "uint8"), y=np.arange(6) % 2, class_names=["cow", "ant"])
    given = Given(source=Npz(path=tmp_path / "a.npz"), known=(("label", ("ant", "cat", "dog", "cow")),))
    assert np.bincount(given.arrays(ALL)["label"], minlength=4).tolist() == [3, 0, 0, 3]


def test_classes_of_objects_are_numbered_as_those_of_the_run(tmp_path):
    """A detector was compared with another set's objects by number."""
    source = Coco(path=coco(tmp_path))
    own, known = source.features().features["classes"].class_names, ("cat", "ant", "ball")
    given = Given(source=source, known=(("classes", known),))
    assert set(own) < set(known) and given.features().features["classes"].class_names == known
    found = 0
    for said, wanted in zip(given.open(ALL), source.open("train"), strict=True):
        pairs = list(zip(said["classes"].numpy().tolist(), wanted["classes"].numpy().tolist(), strict=True))
        assert all((new < 0) if old < 0 else known[new] == own[old] for new, old in pairs)
        found += sum(old >= 0 for _, old in pairs)
        np.testing.assert_array_equal(said["ignored"], wanted["ignored"])
    assert found > 3
    images = [entry.path for entry in given.listing().splits[ALL]]
    assert given.ids(images, range(1, 4)) == ([5 * k for k in range(len(images))], [90, None, 7])


def test_void_pixels_stay_void():
    mask = np.array([[0, 1], [255, 2]], np.uint8)
    assert _renumbered(mask, [2, 0, 1]).tolist() == [[2, 0], [255, 1]]
    assert _renumbered(np.array([-1, 1], np.int32), [5, 7]).tolist() == [-1, 7]


def test_what_is_kept_of_other_data_is_not_taken_for_a_run_of_other_classes(tmp_path):
    """``cache: disk`` keeps labels, which are numbered as in a run."""
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 2, 2, 1), "uint8"), y=np.arange(6) % 2, class_names=["cow", "ant"])
    one, other = (
        Given(source=Npz(path=tmp_path / "a.npz"), known=(("label", names),))
        for names in (("ant", "cow"), ("cow", "ant"))
    )
    assert (one.arrays(ALL)["label"] != other.arrays(ALL)["label"]).all()
    assert one.fingerprint() != other.fingerprint()


def test_a_class_that_the_run_does_not_know_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros((6, 2, 2, 1), "uint8"), y=np.arange(6) % 2, class_names=["cow", "ants"])
    with refuses(DataError):
        Given(source=Npz(path=tmp_path / "a.npz"), known=(("label", ("ant", "cow")),)).features()
