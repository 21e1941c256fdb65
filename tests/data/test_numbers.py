"""Data with numbers to predict in place of a class: tables, tables of images, arrays."""

import numpy as np
import pytest

from archspec.data import numpy_pipeline
from archspec.data.check import check
from archspec.data.errors import DataError
from archspec.data.pipeline import Pipeline
from archspec.data.source import DataSource
from archspec.data.transform import Transform, TransformError, infer
from tests.wording import refuses

TABLE = """rooms,area,city,price,tax
3,71.5,1,240,2.5
2,50,0,180,1
4,99,1,310,3
1,30,0,95,0.5
5,120,1,400,4
"""


def made(name, **arguments):
    return DataSource.find(name)(**arguments)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "houses.csv"
    path.write_text(TABLE)
    return path


@pytest.mark.fast(1)
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "step",
    [
        {"normalize": {"mean": "data", "std": "data"}},
        {"apply": {"to": "vector", "steps": [{"normalize": {"mean": "data", "std": "data"}}]}},
        {
            "apply": {
                "to": "vector",
                "steps": [{"normalize": {"std": 2}}, {"normalize": {"mean": "data", "std": "data"}}],
            }
        },
    ],
    ids=["plain", "apply", "after another"],
)
def test_columns_are_brought_to_one_scale_by_the_training_rows(step, tmp_path, monkeypatch):
    table = tmp_path / "a.csv"
    table.write_text("a,b,c,y,split\n1,100,0.1,5,train\n2,300,0.1,6,train\n4,200,0.1,7,train\n3,500,9,8,val\n")
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    source = made("csv", path=table, target=("y",))
    ((name, args),) = step.items()
    steps = (Transform.find(name).model_validate(args),)
    fitted = Pipeline(source, source.features(), (), steps, 2, 0).fitted()
    assert not steps[0].is_fitted and fitted.eval_transforms[0].is_fitted
    # A column that is always the same in training is divided by 1.
    rows = source.arrays("train")["vector"].astype(np.float64)
    assert np.ptp(rows[:, 2]) == 0
    deviation = np.where(rows.std(0) > 0, rows.std(0), 1)
    for split in ("train", "val"):
        got = np.concatenate([x.numpy() for x, _ in fitted.evaluation(split, lambda b: (b["vector"], ()))])
        want = (source.arrays(split)["vector"] - rows.mean(0)) / deviation
        want[:, 2] /= 2 if len(args.get("steps", ())) == 2 else 1
        np.testing.assert_allclose(got, want, atol=1e-5)
    if name == "normalize":
        plain = numpy_pipeline.evaluation(
            source, "train", fitted.eval_transforms, lambda b: (b["vector"], ()), size=4, count=len(rows), shard=(0, 1)
        )
        np.testing.assert_allclose(plain[0][0], (rows - rows.mean(0)) / deviation, atol=1e-5)


@pytest.mark.parametrize("step", ["rescale", "mirror"])
def test_steps_of_images_are_refused_for_rows(table, step):
    with refuses(TransformError):
        infer(made("csv", path=table, target=("price",)).features(), [Transform.find(step)()])


def test_a_row_is_a_vector_and_numbers(table):
    source = made("csv", path=table, target=("price", "tax"))
    said = source.features()
    assert {name: (spec.shape, spec.dtype) for name, spec in said.parts.items()} == {
        "vector": ((3,), "float32"),
        "label": ((2,), "float32"),
    }
    assert said.classes is None and said.numbers == ("price", "tax") and said.is_divided
    assert said.splits == {"train": 4, "val": 1}
    want = np.genfromtxt(table, delimiter=",", skip_header=1, dtype=np.float32)
    got = [source.arrays(split) for split in said.splits]
    rows = np.concatenate([np.concatenate([part["vector"], part["label"]], 1) for part in got])
    assert sorted(rows.tolist()) == sorted(want.tolist())
    at = int(source.describe("val", 0).rpartition("line ")[2])
    assert source.arrays("val")["vector"][0].tolist() == want[at - 2, :3].tolist()
    assert said.called(np.array([240, 2.5])) == "price 240, tax 2.5"


def test_columns_are_chosen_and_splits_are_said(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("y\tsplit\tx\tz\n1\ttrain\t2\t3\n4\ttest\t5\t6\n7\tTraining\t8\t9\n")
    source = made("csv", path=path, target=("y",), inputs=("z",))
    assert source.features().splits == {"train": 2, "test": 1} and not source.features().is_divided
    assert source.arrays("train")["vector"].tolist() == [[3], [9]] and source.arrays("test")["label"].tolist() == [[4]]


def test_a_row_may_have_a_class(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,kind\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(10)))
    source = made("csv", path=path, label="kind")
    said = source.features()
    assert said.classes == 2 and said.class_names == ("a", "b") and said.parts["label"].shape == ()
    assert said.splits == {"train": 8, "val": 2} and sorted(source.arrays("val")["label"].tolist()) == [0, 1]
    assert check(source).classes == {"a": {"train": 4, "val": 1}, "b": {"train": 4, "val": 1}}


def test_a_row_may_have_a_class_and_numbers(table):
    source = made("csv", path=table, target=("price",), label="city", inputs=("rooms", "area"), holdout=0.4)
    said = source.features()
    assert {name: spec.shape for name, spec in said.parts.items()} == {"vector": (2,), "label": (), "target": (1,)}
    assert said.targets == ("label", "target") and said.telling("target").numbers == ("price",)
    cities = {row.split(",")[3]: int(row.split(",")[2]) for row in TABLE.split()[1:]}
    for split in said.splits:
        found = source.arrays(split)
        assert found["label"].tolist() == [cities[f"{price:g}"] for price in found["target"][:, 0]]
    assert check(source).classes == {"0": {"train": 1, "val": 1}, "1": {"train": 2, "val": 1}}


@pytest.mark.parametrize(
    ("content", "arguments"),
    [
        ("x,y\n1,2\n", {}),
        ("x,y\n1,2\n", {"target": ("y",), "label": "y"}),
        ("x,y\n1,2\n", {"target": ("z",)}),
        ("x,y\n1,2\n", {"target": ("y",), "inputs": ("y",)}),
        ("x,y\n1,2\n3,\n", {"target": ("y",)}),
        ("x,y\n1,2\n\n3,four\n", {"target": ("y",)}),
        ("x,y\n1,2\nnan,4\n", {"target": ("y",)}),
        ("x,y\n1,2\n3,1e99\n", {"target": ("y",)}),
        ("x,x,y\n1,2,3\n", {"target": ("y",)}),
        ("x,y\n", {"target": ("y",)}),
        ("y\n1\n", {"target": ("y",)}),
        ("x,y\n1,2\n", {"target": ("y",)}),
        ("x,y,split\n1,2,test\n", {"target": ("y",)}),
        ("x,y,split\n1,a,train\n2,b,test\n", {"label": "y"}),
    ],
)
def test_what_a_table_cannot_be(tmp_path, content, arguments):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with refuses(DataError):
        made("csv", path=path, **arguments).features()


@pytest.mark.parametrize("rank", [1, 2])
def test_arrays_of_floats_are_numbers(tmp_path, rank):
    x = np.random.default_rng(0).normal(size=(10, 4)).astype("float64")
    y = x[:, :rank] * 2 + 1
    np.savez(tmp_path / "a.npz", x=x, y=y[:, 0] if rank == 1 else y)
    source = made("npz", path=tmp_path / "a.npz")
    said = source.features()
    assert said.parts["label"].shape == (rank,) and said.classes is None and said.splits == {"train": 8, "val": 2}
    assert said.numbers == (("y",) if rank == 1 else ("y[0]", "y[1]"))
    for split in said.splits:
        found = source.arrays(split)
        assert found["label"].dtype == np.float32
        assert np.allclose(found["label"], found["image"][:, :rank] * 2 + 1, atol=1e-5)
    assert not [f for f in check(source).findings if f.severity == "error"]


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(3),
        np.zeros((4, 2, 2)),
        np.array([0, 1, np.nan, np.inf]),
    ],
)
def test_arrays_that_are_no_numbers(tmp_path, y):
    np.savez(tmp_path / "a.npz", x=np.zeros((4, 3)), y=y)
    with refuses(DataError):
        made("npz", path=tmp_path / "a.npz").features()


@pytest.mark.tensorflow
def test_images_with_numbers(tmp_path):
    from PIL import Image

    rows = []
    for i in range(6):
        Image.fromarray(np.full((4, 5, 3), 40 * i, np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{i / 2},{-i},{'test' if i == 5 else 'train'}")
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["path,angle,shift,split", *rows]))
    source = made("list", path=path, target=("angle", "shift"))
    said = source.features()
    assert said.numbers == ("angle", "shift") and said.classes is None and said.splits == {"train": 5, "test": 1}
    assert said.parts["label"].shape == (2,) and said.parts["label"].dtype == "float32"
    for i, one in enumerate(source.open("train")):
        assert one["label"].numpy().tolist() == [i / 2, -i] and int(one["image"][0, 0, 0]) == 40 * i
    assert check(source).classes == {}
    path.write_text("path,angle\n0.png,east\n")
    with refuses(DataError):
        source.model_copy(update={"target": ("angle",)}).features()


def sights(folder, broken=()):
    """A table of images of one shade each, their numbers beside them: columns stand in no order."""
    from PIL import Image

    rows = ["north,photo,kind,height,split,price"]
    for i in range(6):
        Image.fromarray(np.full((4, 5, 3), 40 * i, np.uint8)).save(folder / f"{i}.png")
        rows.append(f"{i / 4},{i}.png,{'ab'[i % 2]},{-i},{'test' if i > 3 else 'train'},{100 + i}")
    for i in broken:
        (folder / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    path = folder / "sights.csv"
    path.write_text("\n".join(rows))
    given = {"inputs": ("height", "north"), "target": ("price",), "label_column": "kind"}
    return made("list", path=path, path_column="photo", on_bad="skip", **given)


@pytest.mark.tensorflow
@pytest.mark.parametrize("broken", [(), (0,)])
def test_images_stand_beside_the_numbers_of_their_row(tmp_path, broken):
    source = sights(tmp_path, broken)
    said = source.features()
    shapes = {"image": (None, None, 3), "vector": (2,), "label": (), "target": (1,)}
    assert {name: spec.shape for name, spec in said.parts.items()} == shapes
    assert said.splits == {"train": 4, "test": 2} and said.class_names == ("a", "b")
    assert said.columns == {"image": ("photo",), "vector": ("height", "north")}
    for place, one in enumerate(source.open("train")):
        # In the place of a broken file another of its class stands, with all of its row.
        i = 2 if place in broken else place
        assert int(one["image"][0, 0, 0]) == 40 * i and one["vector"].numpy().tolist() == [-i, i / 4]
        assert one["target"].numpy().tolist() == [100 + i] and int(one["label"]) == i % 2
    # The columns that a run had, wherever they stand by now.
    other = source.with_columns({"vector": ("north", "height"), "image": ("photo",)})
    assert next(iter(other.open("test")))["vector"].numpy().tolist() == [1, -4]
    found = check(source)
    assert found.classes == {"a": {"train": 2, "test": 1}, "b": {"train": 2, "test": 1}}
    assert [f.where for f in found.findings if f.severity == "error"] == [str(tmp_path / f"{i}.png") for i in broken]


@pytest.mark.parametrize(
    "arguments",
    [
        {"inputs": ("height", "nroth")},
        {"inputs": ("height", "price")},
        {"inputs": ("photo",)},
        {"inputs": ("split",)},
        {"label_column": "lable"},
        {"target": (), "label_column": None},
    ],
    ids=str,
)
def test_what_cannot_stand_beside_an_image(tmp_path, arguments):
    with refuses(DataError):
        sights(tmp_path).model_copy(update=arguments).features()


def test_a_number_that_never_changes_is_noted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("x,y,z\n" + "".join(f"{i},7,{i}\n" for i in range(5)))
    findings = check(made("csv", path=path, target=("y", "z"))).findings
    assert [(f.kind, f.where, f.message) for f in findings] == [
        ("the same for all", "y", "is 7 for every example of train")
    ]
