"""Every source against files that something else wrote: Pillow, NumPy, TensorFlow, the data sets' own authors."""

import gzip
import json
import os
import zipfile

import numpy as np
import pytest
from pydantic import ValidationError

from archspec.data.arguments import written
from archspec.data.errors import DataError
from archspec.data.source import DataSource, held_out_share, k_fold, source_for
from archspec.ir.reading import declared
from tests.data.conftest import picture, save
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow


def made(name, **arguments):
    return DataSource.find(name).model_validate(
        {k: v if not isinstance(v, os.PathLike) else str(v) for k, v in arguments.items()}
    )


def read(source, split):
    return [{k: v.numpy() for k, v in one.items()} for one in source.open(split)]


def agrees(source):
    """What is read is what was said."""
    said = source.features()
    for split, count in said.splits.items():
        examples = read(source, split)
        assert len(examples) == count
        for one in examples:
            spec = said.image
            assert one["image"].dtype == spec.dtype
            assert all(w in (None, n) for w, n in zip(spec.shape, one["image"].shape, strict=True))
            assert 0 <= one["label"] < said.classes
    return said


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    source = made("digits")
    said = agrees(source)
    assert (said.splits, said.classes) == ({"train": 1437, "test": 360}, 10)
    images = np.concatenate([source.arrays(s)["image"] for s in ("train", "test")])
    wanted = load_digits().images.sum((1, 2))
    assert np.allclose(np.sort(images.sum((1, 2, 3)) * 16 / 255), np.sort(wanted), atol=3)


def test_folds_cover_everything_once_and_are_stratified():
    labels = [0] * 33 + [1] * 50 + [2] * 17
    tests = [k_fold(labels, k, 5, 0)["test"] for k in range(5)]
    assert sorted(p for test in tests for p in test) == list(range(100))
    for test in tests:
        assert np.abs(np.bincount(np.array(labels)[test]) - np.array([6.6, 10, 3.4])).max() < 1
    share = held_out_share(labels, 0.2, 1)
    assert len(share["val"]) == 20 and np.abs(np.bincount(np.array(labels)[share["val"]]) - [6.6, 10, 3.4]).max() < 1.5
    assert share == held_out_share(labels, 0.2, 1) != held_out_share(labels, 0.2, 2)
    assert held_out_share([1], 0, 1) == {"train": [0]}


@pytest.mark.parametrize("splits", [True, False])
def test_npz(tmp_path, splits):
    x, y = np.arange(20 * 6, dtype=np.uint8).reshape(20, 3, 2), np.arange(20) % 4
    parts = {"x_train": x[:15], "y_train": y[:15], "x_test": x[15:], "y_test": y[15:]} if splits else {"x": x, "y": y}
    np.savez(tmp_path / "a.npz", class_names=np.array(list("abcd")), **parts)
    source = made("npz", path=tmp_path / "a.npz")
    said = agrees(source)
    assert said.image.shape == (3, 2, 1) and said.class_names == ("a", "b", "c", "d")
    assert said.splits == ({"train": 15, "test": 5} if splits else {"train": 16, "val": 4})
    rows = np.concatenate([source.arrays(s)["image"] for s in said.splits])
    assert sorted(rows.reshape(20, 6).tolist()) == x.reshape(20, 6).tolist()


def test_folder_divides_classes_evenly(class_folders):
    said = agrees(made("folder", path=class_folders))
    assert said.class_names == ("cat", "dog") and said.splits == {"train": 10, "val": 2}
    grey = made("folder", path=class_folders, channels=1)
    assert agrees(grey).image.channels == 1


def test_folder_with_splits(tmp_path):
    for name in (
        "train/a/1.png",
        "train/b b/ü\n2.PNG",
        "val/a/3.png",
        "train/.hidden/x.png",
        "train/a/.x.png",
        "train/a/n.txt",
    ):
        save(tmp_path / name) if not name.endswith("txt") else (tmp_path / name).write_text("x")
    said = agrees(made("folder", path=tmp_path))
    assert said.splits == {"train": 2, "val": 1} and said.class_names == ("a", "b b")
    assert np.array_equal(read(made("folder", path=tmp_path), "val")[0]["image"], picture())


def test_list_in_csv_and_tsv(tmp_path):
    for i in range(10):
        save(tmp_path / "im" / f"{i}, x.png", picture(seed=i))
    rows = [(f"im/{i}, x.png", "cat" if i % 2 else "dog", "val" if i > 7 else "train") for i in range(10)]
    (tmp_path / "a.csv").write_text(
        "\ufeffpath,label,split\n" + "".join(f'"{a}",{b},{c}\n' for a, b, c in rows), "utf-8"
    )
    (tmp_path / "b.tsv").write_text("".join(f"{a}\t{int(b == 'cat')}\n" for a, b, _ in rows), "utf-8")
    said = agrees(made("list", path=tmp_path / "a.csv"))
    assert said.class_names == ("cat", "dog") and said.splits == {"train": 8, "val": 2}
    for i, one in zip((8, 9), read(made("list", path=tmp_path / "a.csv"), "val"), strict=True):
        assert np.array_equal(one["image"], picture(seed=i)) and one["label"] == (i == 8)
    assert agrees(made("list", path=tmp_path / "b.tsv")).splits == {"train": 8, "val": 2}


@pytest.mark.fast(1)
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_holds_what_the_folder_does(class_folders, compression):
    archive = class_folders.parent / "pets.zip"
    with zipfile.ZipFile(archive, "w", compression) as file:
        for path in sorted(class_folders.rglob("*.*")):
            file.write(path, path.relative_to(class_folders.parent))
    zipped, folder = made("zip", path=archive), made("folder", path=class_folders)
    assert agrees(zipped) == folder.features()
    for a, b in zip(read(zipped, "train"), read(folder, "train"), strict=True):
        assert np.array_equal(a["image"], b["image"]) and a["label"] == b["label"]


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


@pytest.mark.parametrize("packed", [True, False])
def test_idx(tmp_path, packed):
    rng = np.random.default_rng(0)
    for name, count in (("train", 12), ("t10k", 5)):
        for what, array in (
            ("images-idx3", rng.integers(0, 256, (count, 4, 5))),
            ("labels-idx1", np.arange(count) % 10),
        ):
            data = idx(array.astype(np.uint8))
            path = tmp_path / f"{name}-{what}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(data) if packed else data)
    said = agrees(made("idx", path=tmp_path))
    assert said.splits == {"train": 12, "test": 5} and said.image.shape == (4, 5, 1)
    one = made("idx", path=tmp_path / f"train-images-idx3-ubyte{'.gz' if packed else ''}")
    assert agrees(one).splits == {"train": 10, "val": 2}


def test_an_idx_file_that_was_cut_short_is_refused_by_its_size(tmp_path):
    images = idx(np.zeros((12, 4, 5), np.uint8))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(12, np.uint8)))
    for data in (images[:-1], images + b"0"):
        (tmp_path / "train-images-idx3-ubyte").write_bytes(data)
        with refuses(DataError):
            made("idx", path=tmp_path).features()


@pytest.mark.parametrize("hundred", [False, True])
def test_cifar(tmp_path, hundred):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (7, 3, 32, 32)).astype(np.uint8)
    label = np.array([[3, 99]] * 7 if hundred else [[9]] * 7, np.uint8)
    data = np.concatenate([label, image.reshape(7, -1)], 1).tobytes()
    for name in ("train.bin", "test.bin") if hundred else ("data_batch_1.bin", "data_batch_2.bin", "test_batch.bin"):
        (tmp_path / name).write_bytes(data)
    source = made("cifar", path=tmp_path)
    said = agrees(source)
    assert said.splits == ({"train": 7, "test": 7} if hundred else {"train": 14, "test": 7})
    out = source.arrays("test")
    assert np.array_equal(out["image"], np.moveaxis(image, 1, 3)) and set(out["label"]) == {99 if hundred else 9}
    if hundred:
        assert set(made("cifar", path=tmp_path, labels="coarse").arrays("test")["label"]) == {3}


def tfrecord(path, count, *, image="image/encoded", label="image/class/label", compress="png"):
    import tensorflow as tf

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for i in range(count):
            data = tf.io.encode_png(picture(8 + i, 9, i)).numpy()
            feature = {
                image: tf.train.Feature(bytes_list=tf.train.BytesList(value=[data])),
                label: tf.train.Feature(int64_list=tf.train.Int64List(value=[i % 3])),
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def test_tfrecord(tmp_path):
    tfrecord(tmp_path / "r" / "train-0.tfrecord", 6)
    tfrecord(tmp_path / "r" / "train-1.tfrecord", 3)
    tfrecord(tmp_path / "r" / "validation-0.tfrecord", 2)
    source = made("tfrecord", path=tmp_path / "r", classes=3)
    assert agrees(source).splits == {"train": 9, "val": 2}
    for i, one in enumerate(read(source, "val")):
        assert np.array_equal(one["image"], picture(8 + i, 9, i)) and one["label"] == i % 3
    alone = made("tfrecord", path=tmp_path / "r" / "train-0.tfrecord", classes=3)
    assert agrees(alone).splits == {"train": 5, "val": 1}


def test_tfrecord_labels_and_damage(tmp_path):
    path = tmp_path / "a.tfrecord"
    tfrecord(path, 6)
    with refuses(DataError):
        read(made("tfrecord", path=path, classes=2), "train")
    data = bytearray(path.read_bytes())
    data[2] ^= 1
    path.write_bytes(data)
    with refuses(DataError):
        made("tfrecord", path=path, classes=3).features()


def test_tfds_reads_what_is_prepared(tmp_path):
    folder = tmp_path / "tiny" / "1.0.0"
    tfrecord(folder / "tiny-train.tfrecord-00000-of-00001", 5, image="image", label="label")
    tfrecord(folder / "tiny-test.tfrecord-00000-of-00001", 2, image="image", label="label")
    info = {"fileFormat": "tfrecord", "splits": [{"name": "train", "shardLengths": ["5"]}, {"name": "test"}]}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    features = {"image": {"image": {}}, "label": {"classLabel": {"numClasses": "3"}}}
    (folder / "features.json").write_text(json.dumps({"featuresDict": {"features": features}}))
    (folder / "label.labels.txt").write_text("x\ny\nz")
    said = agrees(made("tfds", dataset="tiny", data_dir=tmp_path))
    assert said.class_names == ("x", "y", "z") and said.splits == {"train": 5, "test": 2}
    with refuses(DataError):
        made("tfds", dataset="tini", data_dir=tmp_path).features()


def test_keras_datasets_say_what_to_download(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    for name in ("mnist", "fashion_mnist", "cifar10", "cifar100"):
        with refuses(DataError):
            made("keras_dataset", dataset=name).features()


def test_shapes_are_seeded_and_differ_by_class():
    source = made("shapes", classes=8, size=24, train=64, test=16)
    said = agrees(source)
    assert said.class_names[:2] == ("disc", "square")
    once, other = source.arrays("train"), made("shapes", classes=8, size=24, train=64, test=16, seed=1).arrays("train")
    assert np.array_equal(once["image"], source.arrays("train")["image"])
    assert not np.array_equal(once["image"], other["image"])
    assert not np.array_equal(once["image"][:16], source.arrays("test")["image"])
    more = made("shapes", classes=8, size=24, train=100, test=16).arrays("train")
    assert np.array_equal(more["image"][:64], once["image"])
    assert np.bincount(once["label"]).tolist() == [8] * 8


def test_shapes_can_be_learned():
    """Nearest centroid of aligned masks would be too kind: a linear model on centred crops beats chance by far."""
    from sklearn.ensemble import RandomForestClassifier

    source = made("shapes", classes=4, size=16, channels=1, train=1500, test=200, noise=0.1)
    train, test = source.arrays("train"), source.arrays("test")

    def moments(image):
        x = image[..., 0].astype(float) > 128
        area = x.sum((1, 2))
        rows, columns = x.sum(2), x.sum(1)
        top = np.stack([np.sort(rows, 1)[:, -6:], np.sort(columns, 1)[:, -6:]], 1).reshape(len(x), -1)
        return np.column_stack([area, top])

    model = RandomForestClassifier(50, random_state=0).fit(moments(train["image"]), train["label"])
    assert model.score(moments(test["image"]), test["label"]) > 0.6


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"path,lable\nx.png,1\n"),
        ("a.csv", b""),
        ("a.csv", b"path,label\n"),
        ("a.csv", b"path,label\nx.png\n"),
        ("a.csv", b"path,label\nx.png,\n"),
        ("a.csv", b"path,label\n,1\n"),
        ("a.csv", b"path,label,split\nx.png,1,trian\n"),
        ("a.csv", b"path,label\nx.png,1\ny.png,7\n"),
        ("a.csv", b"x.png\ny.png\n"),
        ("a.csv", b"path,label\nx\xff.png,1\n"),
        ("a.npz", b"PK\x05\x06 nonsense"),
        ("a.zip", b"nonsense"),
        ("x-images-idx3-ubyte", b"nonsense"),
        ("a.tfrecord", b"nonsense"),
    ],
)
def test_broken_containers_are_named(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    kind, arguments = source_for(str(path))
    with refuses(DataError):
        made(kind, **arguments, **({"classes": 2} if kind == "tfrecord" else {})).features()


@pytest.mark.parametrize(
    "files",
    [
        [],
        ["x.png"],
        ["a/n.txt"],
        ["a/1.png", "b/"],
        ["train/a/1.png", "val/b/1.png"],
        ["a/1.png"],
    ],
)
def test_broken_folders_say_why(tmp_path, files):
    for name in files:
        if name.endswith("/"):
            (tmp_path / name).mkdir(parents=True)
        elif name.endswith("txt"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_text("x")
        else:
            save(tmp_path / name)
    with refuses(DataError):
        made("folder", path=tmp_path).features()


def test_paths_are_found_and_missing_ones_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 2, 2)), y=[0, 1, 0, 1])
    kind = DataSource.find("npz")
    assert kind.model_validate({"path": "a.npz"}, context={"folder": tmp_path}).path == tmp_path / "a.npz"
    monkeypatch.setenv("ARCHSPEC_DATA", str(tmp_path))
    assert kind.model_validate({"path": "a.npz"}).path == tmp_path / "a.npz"
    with refuses(ValidationError):
        kind.model_validate({"path": "b.npz"})


def test_names_and_paths_mean_sources(class_folders):
    assert source_for("digits") == ("digits", {})
    assert source_for("mnist") == ("keras_dataset", {"dataset": "mnist"})
    assert source_for("Fashion-MNIST") == ("keras_dataset", {"dataset": "fashion_mnist"})
    assert source_for(str(class_folders)) == ("folder", {"path": str(class_folders)})
    with refuses(DataError):
        source_for("digit")


def test_what_is_written_reads_as_the_same(class_folders):
    from pydantic import TypeAdapter

    field = TypeAdapter(declared(DataSource, "a data source"))
    for source in (made("digits", fold=3), made("folder", path=class_folders, channels=1), made("shapes", classes=3)):
        assert field.validate_python(written(source)) == source


def test_mnist_of_its_authors(data):
    source = made("idx", path=data("mnist"))
    assert source.features().image.shape == (28, 28, 1) and sum(source.features().splits.values()) == 10000
    both = [source.arrays(s) for s in ("train", "val")]
    counts = np.bincount(np.concatenate([part["label"] for part in both]))
    assert counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    mean = np.concatenate([part["image"] for part in both]).mean() / 255
    assert abs(mean - 0.1325) < 1e-3


def test_fashion_mnist_mean_is_the_published(data):
    folder = data("fashion_mnist")
    source = made("npz", path=folder / "fashion_mnist_12k_train.npz")
    said = source.features()
    assert said.classes == 10 and sum(said.splits.values()) == 12000
    image = source.arrays("train")["image"] / 255
    assert abs(image.mean() - 0.2860) < 2e-3 and abs(image.std() - 0.3530) < 2e-3


@pytest.mark.slow
def test_cifar10_in_zips(data):
    source = made("zip", path=data("cifar10/train_10k_jpg.zip"), test=data("cifar10/test_2k_jpg.zip"))
    said = source.features()
    assert said.splits == {"train": 10000, "test": 2000} and said.class_names[0] == "airplane"
    examples = read(source, "test")
    assert {e["image"].shape for e in examples} == {(32, 32, 3)}
    assert np.bincount([e["label"] for e in examples]).tolist() == [200] * 10
