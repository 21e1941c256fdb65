"""``archspec sample``: a grid out of weights, and what it is refused for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.cli import main

SMALL = ["--set", "size=16", "--set", "channels=1", "--set", "noise=4"]


@pytest.fixture
def weights(tmp_path):
    """A file with weights of a small DCGAN; every G is other than every other."""
    from archspec.backend.weights import write

    graph = archspec.load("dcgan", size=16, channels=1, noise=4, width=8)
    rng = np.random.default_rng(0)
    values = {}
    for node in graph.owners():
        for weight in node.weights:
            value = rng.normal(size=weight.shape, scale=0.3)
            values[f"{node.layer}/{weight.name}"] = np.abs(value).astype("float32") + 0.1 * ("variance" in weight.name)
    path = tmp_path / "weights.npz"
    write(path, values)
    return path


@pytest.mark.tensorflow
def test_a_grid_of_samples_is_seeded(weights, tmp_path, capsys):
    import tensorflow as tf

    def drawn(name, *flags):
        code = main(["sample", "dcgan", *SMALL, "--set", "width=8", "--weights", str(weights), *flags, "-o", name])
        assert code == 0, capsys.readouterr().err
        return Path(name).read_bytes()

    first = drawn(str(tmp_path / "a.png"), "-n", "10")
    assert tf.io.decode_png(first).shape == (48, 64, 1)
    assert first == drawn(str(tmp_path / "b.png"), "-n", "10")
    assert first != drawn(str(tmp_path / "c.png"), "-n", "10", "--seed", "1")
    drawn(str(tmp_path / "d.npy"), "-n", "3")
    assert np.load(tmp_path / "d.npy").shape == (3, 16, 16, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet18"], "networks of classification cannot be sampled"),
        (["dcgan", "--label", "3"], "there is no class 3: it draws no labels"),
        (["cgan", "--label", "10"], "there is no class 10: the classes are 0 to 9"),
        (["dcgan", "--result", "fak"], "'fak' is no result that needs only what is drawn; did you mean 'fake'?"),
        (["dcgan", "--result", "fake_score"], "samples of (1,) are no images: give a name that ends in .npy"),
        (["pix2pix"], "no result of 'pix2pix' needs only what is drawn"),
    ],
)
def test_what_cannot_be_drawn_is_said(arguments, message, tmp_path, capsys):
    code = main(["sample", *arguments, "--weights", "none.npz", "-o", str(tmp_path / "a.png")])
    assert (code, capsys.readouterr().err) == (1, f"archspec sample: error: {message}\n")
