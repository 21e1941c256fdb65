"""A cache folder that nothing can be written to: what would be kept there is computed, and comes out the same."""

import numpy as np
import pytest

from archspec.data.pipeline import Pipeline
from archspec.data.source import DataSource
from archspec.data.transform import Transform

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def source(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), np.uint8)
    np.savez(tmp_path / "data.npz", x=images, y=np.arange(12) % 2)
    return DataSource.find("npz")(path=tmp_path / "data.npz")


@pytest.fixture(params=["a file stands there", "the disk is full"])
def unwritable(request, tmp_path, monkeypatch):
    """Makes the cache folder one that cannot be written."""

    def make():
        if request.param == "a file stands there":
            (tmp_path / "file").write_text("")
            monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "file"))
            return
        import archspec.data.memory
        from archspec.storage import atomic, cache

        def full(path, *_):
            raise OSError(28, "No space left on device")

        monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "full"))
        monkeypatch.setattr(archspec.data.memory, "reserve", full)
        monkeypatch.setattr(atomic, "write_atomically", full)
        monkeypatch.setattr(cache, "write_text", full)

    return make


def batches(source, *steps):
    """What a pipeline gives, after it was fitted."""
    made = Pipeline(source, source.features(), steps, steps, 4, 0).fitted()
    found = made.training(lambda batch: (batch, ())).take(3)
    return [{name: np.asarray(value) for name, value in batch.items()} for batch, _ in found]


@pytest.mark.fast(1)
@pytest.mark.parametrize("name", ["cache", "subtract_mean_image", "normalize"])
def test_examples_are_as_with_a_cache(source, tmp_path, monkeypatch, unwritable, name):
    steps = {
        "cache": (Transform.find("rescale")(), Transform.find("cache")(where="disk")),
        "subtract_mean_image": (Transform.find("subtract_mean_image")(),),
        "normalize": (Transform.find("normalize")(mean="data", std="data"),),
    }[name]
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "kept"))
    wanted = batches(source, *steps)
    assert any((tmp_path / "kept").rglob("*")), "it is kept where it can be"
    unwritable()
    found = batches(source, *steps)
    assert len(found) == len(wanted) == 3
    for one, other in zip(found, wanted, strict=True):
        for part in one:
            np.testing.assert_array_equal(one[part], other[part])


def test_room_is_reserved_before_a_mapped_file_is_written(tmp_path):
    """A full disk would end the process with SIGBUS, of which nothing could be said."""
    from archspec.storage.atomic import reserve

    path = tmp_path / "mapped"
    with path.open("wb") as file:
        file.truncate(1 << 20)
    assert path.stat().st_blocks == 0
    reserve(path)
    assert path.stat().st_blocks * 512 >= 1 << 20
