"""What a network of several inputs is asked about: rows of a table, each with all that one example has."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Pictures

from archspec.cli import main
from archspec.data.errors import DataError
from archspec.data.example import Example
from archspec.data.features.image import Image
from archspec.data.features.tokens import Tokens
from archspec.data.features.vector import Vector
from archspec.data.tokenizers.level import Words
from archspec.data.transform import Transform
from archspec.ir.tensors import TensorSpec
from archspec.training.prediction import headings, together
from tests.training import runs
from tests.wording import refuses, told

pytestmark = pytest.mark.tensorflow

PHOTO = Image(TensorSpec((None, None, 3), "uint8"))
ROW = Vector(TensorSpec((2,)))


def vocabulary():
    return Words().fit(["a red house", "a house"])


def text(steps):
    return Tokens(vocabulary(), steps)


@pytest.mark.parametrize(
    ("features", "wanted"),
    [
        ({"image": Image(PHOTO.spec, ("path",)), "vector": Vector(ROW.spec, ("x", "y"))}, "path | x y"),
        ({"image": PHOTO, "vector": ROW}, "image | vector.1 vector.2"),
        ({"a": Image(PHOTO.spec, ("path",)), "b": Image(PHOTO.spec, ("path",))}, "a | b"),
        ({"a": Vector(ROW.spec, ("x", "y")), "b": Vector(ROW.spec, ("x", "y"))}, "a.x a.y | b.x b.y"),
        ({"a": Vector(ROW.spec, ("x", "y")), "b": Vector(ROW.spec, ("z", "y"))}, "x a.y | z b.y"),
        ({"image": PHOTO, "tokens": text(None)}, "image | tokens"),
    ],
    ids=str,
)
def test_columns_of_parts(features, wanted):
    found = headings(Example(features), tuple(features))
    assert " | ".join(" ".join(names) for names in found.values()) == wanted and list(found) == list(features)


@pytest.mark.parametrize("kind", [Vector(TensorSpec((3, 2))), Vector(TensorSpec((None,))), Tokens(None, 4)], ids=str)
def test_parts_that_no_cells_hold(kind):
    with refuses(DataError):
        headings(Example({"image": PHOTO, "signal": kind}), ("image", "signal"))


def asked(tmp_path, content, features, steps=(), **options):
    table = tmp_path / "asked.csv"
    table.write_text(content)
    for i in range(3):
        Pictures.fromarray(np.full((4 + i, 6, 3), 50 * i, np.uint8)).save(tmp_path / f"{i}.png")
    given = {"encoding": "utf-8", "max_pixels": 1000, "cuts": False, **options}
    return together([table], tuple(features), Example(features), steps, **given)


def test_each_row_is_prepared_as_the_run_evaluated(tmp_path):
    features = {"image": Image(TensorSpec((2, 3, 3), "uint8")), "vector": ROW, "tokens": text(None)}
    scaled = Transform.find("apply")(to=("vector",), steps=(Transform.find("normalize")(mean=(1.0,), std=(2.0,)),))
    content = "tokens,vector.2,image,vector.1,more\na red house,5,2.png,3,?\nhouse,7,0.png,9,?\n"
    found = asked(tmp_path, content, features, (Transform.find("rescale")(), scaled))
    assert not found.bad and [name[0].rpartition(", ")[2] for name, _, _ in found.batches] == ["line 2", "line 3"]
    for (_, batch, _), shade, row, line in zip(
        found.batches, (100, 0), ((1, 2), (4, 3)), ("a red house", "house"), strict=True
    ):
        # Brought to the size that the run's data had.
        assert batch["image"].shape == (1, 2, 3, 3) and np.allclose(batch["image"], shade / 255)
        assert np.allclose(batch["vector"], [row])
        assert batch["tokens"].numpy().tolist() == [vocabulary().encode(line)]


def test_every_row_that_cannot_be_read_is_told_and_the_others_are_asked_about(tmp_path):
    (tmp_path / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Pictures.new("RGB", (40, 40)).save(tmp_path / "large.png")
    rows = ["0.png,1,2,a", ",1,2,a", "no.png,1,2,a", "cut.png,1,2,a", "large.png,1,2,a", "0.png,,2,a", "0.png,1,x,a"]
    content = "\n".join(
        ["image,vector.1,vector.2,tokens", *rows, "0.png,1,2,a red house", "1.png,3,4,", "2.png,3,4,house"]
    )
    found = asked(tmp_path, content, {"image": PHOTO, "vector": ROW, "tokens": text(2)})
    assert [name[0].rpartition(", ")[2] for name, _, _ in found.batches] == ["line 2", "line 11"]
    assert found.batches[1][1]["tokens"].numpy().tolist() == [[*vocabulary().encode("house"), 0]]
    told("\n".join(found.bad))


@pytest.mark.parametrize(
    "content",
    ["", "image,vector.1,vector.2\n", "image,vector.1\n0.png,1\n", "image,vector.1,vector.2,image\n0.png,1,2,1.png\n"],
)
def test_tables_that_cannot_be_asked_about(tmp_path, content):
    found = asked(tmp_path, content, {"image": PHOTO, "vector": ROW})
    assert not found.batches
    told("\n".join(found.bad))


NET = """
archspec: 1
name: net
inputs: {image: [4, 4, 3], vector: [2]}
body:
  - {flatten: , from: image, as: seen}
  - concat: [seen, vector]
  - {linear: , as: both}
heads:
  kind: {from: both, body: [dense: {units: 2, activation: softmax}], loss: sparse_categorical_crossentropy}
  price: {from: both, body: [dense: 1], loss: mse}
"""
RUN = """
archspec_run: 1
spec: small.yaml
data: {list: {path: table.csv, inputs: [x, y], label_column: kind, target: price}}
augment: [resize: 4, rescale, apply: {to: vector, steps: [normalize: {mean: data, std: data}]}]
train: {epochs: 1, batch: 4, task: {multitask: {heads: {price: {regression: {standardize: false}}}}}}
"""


@pytest.mark.slow
def test_an_image_beside_a_vector_is_trained_on_and_asked_about(tmp_path, capsys):
    import keras

    draw = np.random.default_rng(0)
    rows = draw.integers(0, 90, (8, 2))
    shades = draw.integers(0, 255, (8, 4, 4, 3)).astype(np.uint8)
    lines = ["y,path,kind,price,x,split"]
    for i, (x, y) in enumerate(rows):
        Pictures.fromarray(shades[i]).save(tmp_path / f"{i}.png")
        lines.append(f"{y},{i}.png,{'ab'[i % 2]},{x + y},{x},{'val' if i > 5 else 'train'}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    run = str(tmp_path / "run")
    assert main(["train", str(runs.write(tmp_path, RUN, NET)), "--logdir", run, "--quiet"]) == 0
    # Without what is to be told, and with the columns in another order.
    (tmp_path / "asked.csv").write_text("\n".join(f"{y},{x},{i}.png" for i, (x, y) in enumerate(rows)))
    text = (tmp_path / "asked.csv").read_text()
    (tmp_path / "asked.csv").write_text(f"y,x,path\n{text}")
    capsys.readouterr()
    assert main(["predict", run, str(tmp_path / "asked.csv"), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    model = keras.saving.load_model(tmp_path / "run" / "model.keras")
    fit = rows[:6]
    wanted = model.predict(
        {"image": np.float32(shades / 255), "vector": np.float32((rows - fit.mean(0)) / fit.std(0))}, verbose=0
    )
    assert [record["row"].rpartition("line ")[2] for record in found] == [str(i + 2) for i in range(8)]
    for record, kind, price in zip(found, wanted["kind"], wanted["price"], strict=True):
        probabilities = {one["class"]: one["probability"] for one in record["kind"]["classes"]}
        assert [probabilities[name] for name in "ab"] == pytest.approx(kind, abs=1e-4)
        assert record["price"]["numbers"]["price"] == pytest.approx(price[0], rel=1e-3, abs=1e-3)
    assert main(["predict", run, str(tmp_path / "0.png")]) == 1
    told(capsys.readouterr().err)
