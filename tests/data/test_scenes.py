"""Made-up pictures of several shapes, against what is painted on them."""

import pytest
from pydantic import ValidationError

from archspec.data.sources.scenes import Scenes
from archspec.data.sources.synthetic import Shapes
from tests.wording import refuses


def test_boxes_are_tight_about_what_the_mask_has_of_each_object():
    source = Scenes(classes=8, size=48, most=5, smallest=0.0625, largest=0.2, train=60)
    found = source.arrays("train")
    counts = (found["classes"] >= 0).sum(1)
    assert set(counts.tolist()) == {1, 2, 3, 4, 5}
    for i, count in enumerate(counts):
        mask, rest = found["label"][i, ..., 0], found["label"][i, ..., 0].copy()
        for k in range(count):
            left, top, right, bottom = found["boxes"][i, k].astype(int)
            own = mask[top:bottom, left:right] == found["classes"][i, k] + 1
            assert own[0].any() and own[-1].any() and own[:, 0].any() and own[:, -1].any()
            assert own.sum() == found["areas"][i, k] and not (mask[top:bottom, left:right][~own]).any()
            rest[top:bottom, left:right] = 0
        assert not rest.any()
        assert not found["boxes"][i, count:].any() and (found["classes"][i, count:] == -1).all()


def test_objects_are_brighter_than_the_background():
    found = Scenes(train=20, noise=0.0).arrays("train")
    on = found["label"][..., 0] > 0
    assert found["image"][on].min() >= 0.6 * 255 - 1 and found["image"][~on].max() <= 0.4 * 255 + 1


def test_the_seed_is_the_pictures_and_splits_share_none():
    source = Scenes(train=4, test=4)
    first = source.arrays("train")
    assert (Scenes(train=9).arrays("train")["image"][:4] == first["image"]).all()
    for other in (source.arrays("test"), Scenes(train=4, seed=1).arrays("train")):
        assert (other["image"] != first["image"]).any((1, 2, 3)).all()
    # Of the same seed on every machine.
    assert first["boxes"][0].tolist() == [[44, 18, 62, 36], [4, 1, 20, 18], [39, 39, 62, 61]]
    assert first["classes"].tolist()[:2] == [[0, 0, 0], [0, 1, -1]]


def test_what_is_said_of_them_is_so():
    source = Scenes(classes=2, size=32, train=3, test=2)
    spec, found = source.features(), source.arrays("test")
    assert spec.splits == {"train": 3, "test": 2} and spec.class_names == ("background", "disc", "square")
    assert spec.features["classes"].class_names == ("disc", "square")
    for name, part in spec.parts.items():
        assert (found[name].shape[1:], found[name].dtype.name) == (part.shape, part.dtype), name


@pytest.mark.parametrize("given", [{"smallest": 0.2, "largest": 0.1}, {"size": 16}], ids=["order", "pixels"])
def test_radii_that_show_nothing_are_refused(given):
    with refuses(ValidationError):
        Scenes(**given)


def test_a_mask_is_called_by_the_classes_that_occur():
    source = Scenes(train=2)
    mask = source.features().features["label"]
    assert [mask.called(value) for value in source.arrays("train")["label"]] == [
        "background, disc",
        "background, disc, square",
    ]


@pytest.mark.parametrize("kind", [Scenes, Shapes])
def test_the_largest_seed_has_pictures_of_its_own(kind):
    made = [kind(classes=2, size=32, train=2, test=2, seed=seed).arrays("train") for seed in (0, 2**31 - 1)]
    assert (made[0]["image"] != made[1]["image"]).any()
    with pytest.raises(ValidationError):
        kind(classes=2, seed=2**31)
