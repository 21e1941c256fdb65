"""Real weights, frozen and run once, on real photographs: smaller than the table of docs/training.md."""

import numpy as np
import pytest

from archspec.runs import Run
from tests.training.transfer import ZIPS, write_photos, write_weights

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def files(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    photos = write_photos({split: data(name) for split, name in ZIPS.items()}, folder / "photos.npz", each=40)
    return photos, write_weights(data("w_squeezenet_dc/compressed_SqueezeNet.net"), folder / "squeezenet.npz")


def trained(files, folder, epochs, **changes):
    photos, weights = files
    of = Run.open("squeezenet_transfer", data=str(photos), epochs=epochs, weights=str(weights), **changes)
    return of.train(folder, progress=None)


def test_transfer_from_imagenet_and_the_same_with_and_without_features_kept(files, tmp_path, monkeypatch):
    """Measured: 0.505 of 400 images, after 15 epochs on 40 images of each class."""
    monkeypatch.setenv("ARCHSPEC_CACHE", str(tmp_path / "cache"))
    result = trained(files, tmp_path / "long", 15)
    assert result.metrics["accuracy"] > 0.45
    kept = trained(files, tmp_path / "kept", 2)
    plain = trained(files, tmp_path / "plain", 2, cache_features=False)
    assert kept.metrics == pytest.approx(plain.metrics, rel=1e-4)
    with np.load(tmp_path / "kept" / "weights.npz") as a, np.load(tmp_path / "plain" / "weights.npz") as b:
        for name in a.files:
            np.testing.assert_allclose(a[name], b[name], atol=1e-5, err_msg=name)
