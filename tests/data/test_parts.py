"""Examples of several images: how they are made of one, and how each is changed."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from archspec.data.errors import DataError
from archspec.data.example import from_specs
from archspec.data.pipeline import Pipeline
from archspec.data.source import DataSource
from archspec.data.transform import Transform, TransformError, for_evaluation, infer
from archspec.data.transforms.geometric import Geometric
from archspec.ir.tensors import TensorSpec
from tests.data.conftest import picture, save
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow
PAIR = from_specs({"a": TensorSpec((12, 16, 3), "uint8"), "b": TensorSpec((12, 16, 3), "uint8")}, {"train": 8})


def made(name, **arguments):
    return Transform.find(name).model_validate(arguments)


def draw(count, epoch=0):
    import tensorflow as tf

    from archspec.data.draw import Draw

    return Draw(5, "t", tf.fill([count], tf.constant(epoch, tf.int64)), tf.range(count, dtype=tf.int64))


def applied(transform, epoch=0, **parts):
    import tensorflow as tf

    out = transform.apply({k: tf.constant(v) for k, v in parts.items()}, draw(8, epoch))
    return {k: v.numpy() for k, v in out.items()}


def images(count=8, **size):
    return np.stack([picture(seed=i, **size) for i in range(count)])


def test_parts_named_together_get_the_same_draws_and_others_their_own():
    x, y = images(), 255 - images()
    crop = made("apply", to=["a", "b"], steps=[{"random_crop": [6, 6]}, "mirror"])
    said = infer(PAIR, [crop])[-1]
    assert said.parts["a"].shape == said.parts["b"].shape == (6, 6, 3)
    out = applied(crop, a=x, b=y)
    assert np.array_equal(out["a"], 255 - out["b"])
    assert not np.array_equal(applied(crop, epoch=1, a=x, b=y)["a"], out["a"])


def test_steps_of_colors_are_done_to_parts():
    gray = made("apply", to="b", steps=[{"grayscale": 1.0}])
    out = applied(gray, a=images(), b=images())
    assert np.array_equal(out["a"], images())
    assert np.ptp(out["b"].astype(int), axis=-1).max() <= 1


def test_what_is_random_stands_out_of_evaluation():
    both = made("apply", to="a", steps=["mirror", {"resize": 8}])
    (left,) = for_evaluation([both])
    assert [s.name for s in left.steps] == ["resize"]
    assert for_evaluation([made("apply", to="a", steps=["mirror"])]) == ()


def test_halves_are_left_and_right():
    x = images(width=16)
    cut = made("halves", left="b", right="a")
    features = from_specs({"image": TensorSpec((12, 16, 3), "uint8"), "label": TensorSpec((), "int32")})
    said = infer(features, [cut])[-1]
    assert {n: p.shape for n, p in said.parts.items()} == {"label": (), "a": (12, 8, 3), "b": (12, 8, 3)}
    out = applied(cut, image=x)
    assert set(out) == {"a", "b"}
    assert np.array_equal(out["b"], x[:, :, :8])
    assert np.array_equal(out["a"], x[:, :, 8:])


def test_a_shrunk_copy_is_pillows_bicubic_one():
    x = images(height=32, width=48)
    shrink = made("shrink", factor=4)
    said = infer(from_specs({"image": TensorSpec((32, 48, 3), "uint8")}), [shrink])[-1]
    assert {n: p.shape for n, p in said.parts.items()} == {"small": (8, 12, 3), "large": (32, 48, 3)}
    out = applied(shrink, image=x)
    assert np.array_equal(out["large"], x)
    wanted = np.stack([Image.fromarray(one).resize((12, 8), Image.Resampling.BICUBIC) for one in x])
    assert np.abs(out["small"].astype(int) - wanted).max() <= 2


@pytest.mark.parametrize(
    ("name", "arguments", "features", "message"),
    [
        ("apply", {"to": "c", "steps": ["mirror"]}, PAIR, "apply: there is no part 'c'"),
        (
            "apply",
            {"to": ["a", "b"], "steps": [{"normalize": {"mean": "data"}}]},
            PAIR,
            "apply: normalize asks for the data's numbers, which a and b have each of their own",
        ),
        ("apply", {"to": "a", "steps": ["halves"]}, PAIR, "apply: its steps change images, these make other parts"),
        ("halves", {}, PAIR, "the data have no image, only a, b"),
        (
            "halves",
            {},
            from_specs({"image": TensorSpec((12, 15, 3), "uint8")}),
            "halves: 15 columns have no middle",
        ),
        ("shrink", {}, from_specs({"image": TensorSpec((12, 15, 3))}), "shrink: 15 pixels are no multiple of 4"),
        (
            "shrink",
            {},
            from_specs({"image": TensorSpec((None, None, 3))}),
            "shrink needs images of one size, the data are (?, ?, 3)",
        ),
        (
            "halves",
            {"left": "label"},
            from_specs({"image": TensorSpec((12, 16, 3)), "label": TensorSpec((), "int32")}),
            "the data have a part 'label' already",
        ),
    ],
)
def test_refusals(name, arguments, features, message):
    with pytest.raises((TransformError, DataError)) as caught:
        infer(features, [made(name, **arguments)])
    assert caught.value.message == message


def test_a_part_has_to_be_named():
    with refuses(ValidationError):
        made("apply", to=["a", "a"], steps=[])


LEAST = {"size": [9, 11], "share": 0.3, "degrees": 20.0, "scale": [0.7, 1.3]}
MORE = {"scale_jitter": {"short": [12.0, 20.0]}, "perspective": {"strength": 0.4}, "elastic": {"strength": 3.0}}


def moving():
    """Every transform that moves pixels, with the least that it needs."""
    for kind in Transform.all():
        if issubclass(kind, Geometric):
            needs = {name: LEAST[name] for name, field in kind.model_fields.items() if field.is_required()}
            yield kind.name, needs | MORE.get(kind.name, {})


MASKED = from_specs({"image": TensorSpec((12, 16, 1), "uint8"), "ids": TensorSpec((12, 16, 1), "int32")})


@pytest.mark.fast(10)
@pytest.mark.parametrize(("name", "arguments"), list(moving()), ids=[name for name, _ in moving()])
@pytest.mark.parametrize("part", ["ids", "label"])
def test_numbers_of_classes_are_moved_and_never_blended(name, arguments, part):
    """There are classes 3 and 200, side by side in stripes: any mean of the two, or of one and what is empty, shows."""
    dtype = "uint8" if part == "label" else "int32"
    ids = np.where(np.arange(16) // 2 % 2, 200, 3).astype(dtype)[None, None, :, None] * np.ones((8, 12, 1, 1), dtype)
    step = made("apply", to=["image", part], steps=[{name: arguments}])
    said = infer(from_specs({"image": MASKED.image, part: TensorSpec((12, 16, 1), dtype)}), [step])[-1].parts[part]
    out = applied(step, image=ids.astype("uint8"), **{part: ids})
    assert (out[part].dtype, out[part].shape[1:]) == (dtype, said.shape) and said.dtype == dtype
    assert set(np.unique(out[part])) <= {0, 3, 200} and {3, 200} <= set(np.unique(out[part]))
    # And they go where the image goes: what is bright there has the class of what is bright. Margins have neither.
    inside = out[part] != 0
    assert np.mean((out["image"] > 100)[inside] == (out[part] == 200)[inside]) > 0.85


def test_what_changes_numbers_is_refused_for_classes():
    steps = ({"rescale": {"low": 0.0}}, "blur", "color_jitter", {"cutout": 4}, "standardize", {"random_crop": 4})
    for step in steps[:-1]:
        with refuses(TransformError):
            infer(MASKED, [made("apply", to="ids", steps=[step])])
        infer(PAIR, [made("apply", to="a", steps=[step])])
    infer(MASKED, [made("apply", to="ids", steps=[steps[-1]])])


# --- sources ----------------------------------------------------------------------------------------------------------


def source(name, **arguments):
    return DataSource.find(name).model_validate(
        {k: str(v) if hasattr(v, "__fspath__") else v for k, v in arguments.items()}
    )


@pytest.fixture
def two_folders(tmp_path):
    """Five pictures of one kind, three of another; each one's grey level says which it is."""
    for kind, count, level in (("horse", 5, 10), ("zebra", 3, 110)):
        for i in range(count):
            save(tmp_path / kind / f"{i}.png", np.full((9 + i, 8, 3), level + i, "uint8"))
    return tmp_path


def level(image):
    return int(np.asarray(image).mean())


def test_pictures_need_no_classes(tmp_path):
    for name in ("train/1.png", "train/deep/2.jpg", "val/3.png", "other/4.png"):
        save(tmp_path / "all" / name)
    (tmp_path / "all" / "train" / "notes.txt").write_text("-")
    found = source("pictures", path=tmp_path / "all")
    said = found.features()
    assert (dict(said.splits), set(said.parts), said.classes) == ({"train": 2, "val": 1}, {"image"}, None)
    (one,) = found.open("val")
    assert set(one) == {"index", "image"}
    assert np.array_equal(one["image"], picture())
    assert found.listing().strays == ("train/notes.txt",)


def test_a_share_of_pictures_is_held_out(two_folders):
    assert dict(source("pictures", path=two_folders / "horse").features().splits) == {"train": 4, "val": 1}


@pytest.mark.slow
def test_two_kinds_come_together_at_random_and_each_picture_in_every_epoch(two_folders):
    import tensorflow as tf

    found = source("unpaired", a=two_folders / "horse", b=two_folders / "zebra", test_a=two_folders, test_b=two_folders)
    assert dict(found.features().splits) == {"train": 5, "test": 8}
    together = []
    for epoch in range(3):
        order = tf.data.Dataset.range(5).map(lambda i, e=epoch: {"index": i, "epoch": tf.constant(e, tf.int64)})
        pairs = [(level(one["a"]), level(one["b"])) for one in found.open("train", order)]
        assert sorted(a for a, _ in pairs) == [10, 11, 12, 13, 14]
        assert {b for _, b in pairs} == {110, 111, 112}
        together.append(tuple(pairs))
    assert len(set(together)) > 1


def test_two_kinds_in_batches_of_one_size(two_folders):
    found = source("unpaired", a=two_folders / "horse", b=two_folders / "zebra")
    steps = (made("apply", to=["a", "b"], steps=[{"resize": 8}, {"rescale": {"low": -1.0}}]),)
    pipeline = Pipeline(found, found.features(), steps, steps, 4, 0)
    batch, _ = next(iter(pipeline.training(lambda batch: (batch, ()))))
    assert batch["a"].shape == batch["b"].shape == (4, 8, 8, 3)
    assert batch["a"].numpy().max() < batch["b"].numpy().min()


@pytest.mark.fast(1)
@pytest.mark.parametrize("where", ["memory", "disk"])
def test_what_has_no_label_and_several_images_is_kept_too(two_folders, where):
    found = source("unpaired", a=two_folders / "horse", b=two_folders / "zebra")
    steps = (made("apply", to=["a", "b"], steps=[{"resize": 8}]), made("cache", where=where))
    pipeline = Pipeline(found, found.features(), steps, steps, 4, 0)
    for _ in range(2):
        batch, _ = next(iter(pipeline.evaluation("val", lambda batch: (batch, ()))))
        assert {name: batch[name].shape for name in "ab"} == {"a": (1, 8, 8, 3), "b": (1, 8, 8, 3)}
        assert level(batch["a"]) < 100 < level(batch["b"])
    with refuses(TransformError):
        infer(found.features(), [made("cache")])


def test_folders_to_evaluate_on_go_together(two_folders):
    with refuses(DataError):
        source("unpaired", a=two_folders / "horse", b=two_folders / "zebra", test_a=two_folders).features()


@pytest.mark.slow
def test_broken_pictures_stop_or_are_left_out(two_folders):
    (two_folders / "zebra" / "1.png").write_bytes(b"no picture")
    horse, zebra = two_folders / "horse", two_folders / "zebra"
    with refuses(DataError):
        list(source("unpaired", a=horse, b=zebra, test_a=horse, test_b=horse).open("train"))
    skipping = source("unpaired", a=horse, b=zebra, test_a=horse, test_b=horse, on_bad="skip")
    assert {level(one["b"]) for one in skipping.open("train")} == {110, 112}


def test_negatives_are_of_other_pictures():
    found = DataSource.find("inverted").model_validate({"size": 16, "train": 50, "test": 20})
    for split, count in found.features().splits.items():
        arrays = found.arrays(split)
        assert arrays["a"].shape == arrays["b"].shape == (count, 16, 16, 3)
        assert arrays["a"].mean() < 110 < 145 < arrays["b"].mean()
        seen = {one.tobytes() for one in 255 - arrays["a"]}
        assert not any(one.tobytes() in seen for one in arrays["b"])
    assert not np.array_equal(found.arrays("train")["a"][:20], found.arrays("test")["a"])
