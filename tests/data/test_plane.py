"""Points of a plane, against the densities that they are drawn from."""

import numpy as np
import pytest

from archspec.data.sources.plane import Gaussians


def test_points_are_those_of_their_centre():
    source = Gaussians(train=80_000)
    found = source.arrays("train")
    point, label = found["point"], found["label"]
    assert (point.shape, point.dtype, label.dtype) == ((80_000, 2), np.float32, np.int32)
    for k in range(8):
        own = point[label == k]
        assert len(own) == pytest.approx(10_000, abs=500)
        centre = np.exp(2j * np.pi * k / 8)
        np.testing.assert_allclose(own.mean(0), [centre.real, centre.imag], atol=0.003)
        np.testing.assert_allclose(np.cov(own.T), np.eye(2) * 0.05**2, atol=1e-4)


def test_the_seed_is_the_points_and_splits_share_none():
    first = Gaussians(train=100, test=100)
    assert (first.arrays("train")["point"] == Gaussians(train=100).arrays("train")["point"]).all()
    assert not np.isin(first.arrays("test")["point"], first.arrays("train")["point"]).any()
    assert not np.isin(Gaussians(train=100, seed=1).arrays("train")["point"], first.arrays("train")["point"]).any()
    np.testing.assert_allclose(first.arrays("train")["point"][0], [0.6939536, -0.6900025], atol=1e-6)


def test_what_is_said_of_them_is_so():
    spec = Gaussians(modes=3, radius=2.0, deviation=0.1, train=10, test=4).features()
    assert (spec.splits, spec.classes, spec.parts["point"].shape) == ({"train": 10, "test": 4}, 3, (2,))
    assert Gaussians().features().splits == {"train": 25_600}
