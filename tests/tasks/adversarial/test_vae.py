"""A variational autoencoder: two networks with one objective, a port of one, and a draw between them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.cli import main
from tests.tasks.adversarial import specs

SMALL = {"size": 8, "hidden": 12, "latent": 3}
RUN = """
archspec_run: 1
spec: vae
set: {size: 8, hidden: 12, latent: 3}
data: digits
augment: [rescale]
train: {optimizer: {adam: 0.01}, epochs: 2, batch: 256}
log: {pictures: 2}
"""


def test_what_a_step_takes_of_a_network_besides_its_result_is_an_output_of_the_network():
    graph = archspec.load("vae", **SMALL)
    encoder = graph.networks["encoder"]
    assert [o.name for o in encoder.outputs] == ["output", "log_variance"]
    assert [o.name for o in graph.outputs] == ["encoder.output", "encoder.log_variance", "decoder.output"]
    assert sum(n.params for n in encoder.owners()) == 64 * 12 + 12 + 2 * (12 * 3 + 3)
    assert graph.training.results["code.mean"] == graph.training.results["code"]


@pytest.mark.tensorflow
def test_minus_the_elbo_is_that_of_numpy(tmp_path):
    from archspec.ir.graph import Tensor
    from archspec.training.updates.simultaneous_updates import SimultaneousUpdates

    graph = archspec.load("vae", **SMALL, beta=2.0)
    model = SimultaneousUpdates(graph, seed=5)
    model.compile("adam")
    image = np.random.default_rng(0).uniform(size=(6, 8, 8, 1)).astype("float32")
    weight = lambda name: [np.asarray(w, "float64") for w in model.get_layer(name).get_weights()]  # noqa: E731
    dense = lambda x, name: x @ weight(name)[0] + weight(name)[1]  # noqa: E731
    features = np.tanh(dense(image.reshape(6, 64), "encoder.features"))
    mean, log_variance = dense(features, "encoder.mean"), dense(features, "encoder.log_variance")
    inputs = model.inputs({"image": image}, 0, 0)
    names = ["code.mean", "code.log_variance", "drawn", "made"]
    found = dict(zip(names, model.results({**inputs, Tensor("image"): image}, names), strict=True))
    np.testing.assert_allclose(found["code.mean"], mean, atol=1e-5)
    np.testing.assert_allclose(found["code.log_variance"], log_variance, atol=1e-5)
    noise = (found["drawn"] - mean) / np.exp(log_variance / 2)
    assert 0.3 < noise.std() < 2 and len(np.unique(noise.round(5))) == noise.size
    made = 1 / (1 + np.exp(-dense(np.tanh(dense(found["drawn"], "decoder.dense")), "decoder.dense_2")))
    np.testing.assert_allclose(found["made"].reshape(6, 64), made, atol=1e-5)
    flat = image.reshape(6, 64)
    entropy = -(flat * np.log(made) + (1 - flat) * np.log(1 - made)).sum(1)
    divergence = 0.5 * (mean**2 + np.exp(log_variance) - log_variance - 1).sum(1)
    report = model.evaluate(image, batch_size=6, verbose=0, return_dict=True)
    assert report["loss"] == pytest.approx((entropy + 2 * divergence).mean(), rel=1e-5)
    assert report["encoder_decoder.normal_kl.code.mean"] == pytest.approx(divergence.mean(), rel=1e-5)


NOISY = """
archspec: 1
name: noisy
networks:
  D: {inputs: {x: [64]}, body: [dense: {units: 64, bias: false}]}
train:
  inputs: {real: [64]}
  body:
    - {dropout: 0.5, from: real, as: spoilt}
    - {D, from: spoilt, as: made}
  together: TOGETHER
  steps:
    - {update: [D], minimize: [{mse: [spoilt, made]}, {mse: [made, 0], weight: 0}]}
"""
"""With the kernel at zero the first term is the mean square of what dropout leaves."""


@pytest.mark.tensorflow
@pytest.mark.parametrize("together", ["true", "false"])
def test_what_a_step_draws_beside_its_networks_is_drawn_in_training_and_follows_the_round(together, tmp_path):
    from archspec.tasks.adversarial import _steps

    def spoilt(rounds, seed=3):
        graph = specs.graph(tmp_path, NOISY.replace("TOGETHER", together))
        model = _steps(graph, archspec.compile(graph), seed)
        model.compile("sgd")
        model.networks.get_layer("D.dense").set_weights([np.zeros((64, 64))])
        (step,) = graph.training.steps
        real = np.ones((16, 64), "float32")
        inputs = model.inputs({"real": real}, rounds, 0)
        report = model.objective(step, inputs, {}, rounds, state=model.draws(rounds, 0))[1]
        checked = model.judged({"real": real}, rounds)[0]
        return float(report["D.mse.spoilt"]), float(checked["D.mse.spoilt"])

    first, plain = spoilt(0)
    # Half of the ones are 0, the others 2: their mean square is 2; in an evaluation it is 1.
    assert first == pytest.approx(2, abs=0.3) and first != 2 and plain == 1
    assert spoilt(0)[0] == first
    assert len({first, spoilt(1)[0], spoilt(2)[0], spoilt(0, seed=4)[0]}) == 4


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_run_reports_the_bound_and_draws_images_and_ways_between_them(tmp_path, capsys):
    (tmp_path / "run.yaml").write_text(RUN, encoding="utf-8")
    logdir = tmp_path / "out"
    assert main(["train", str(tmp_path / "run.yaml"), "--logdir", str(logdir), "--quiet"]) == 0
    last = json.loads((logdir / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    parts = 64 * last["val_encoder_decoder.binary_crossentropy.made"] + last["val_encoder_decoder.normal_kl.code.mean"]
    assert last["val_loss"] == pytest.approx(parts, rel=1e-5)

    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(logdir / "pictures"), size_guidance={"tensors": 0})
    board.Reload()
    assert {"sample", "sample_interpolated"} <= set(board.Tags()["tensors"])

    def drawn(*flags):
        path = tmp_path / "drawn.npy"
        assert main(["sample", str(logdir), "-o", str(path), *flags]) == 0, capsys.readouterr().err
        return np.load(path)

    ways, draws = drawn("-n", "15", "--interpolate", "5", "--seed", "2"), drawn("-n", "6", "--seed", "2")
    assert ways.shape == (15, 8, 8, 1)
    # Three ways from the first three draws to the others.
    np.testing.assert_allclose(ways[0::5], draws[:3], atol=1e-5)
    np.testing.assert_allclose(ways[4::5], draws[3:], atol=1e-5)
    assert main(["sample", str(logdir), "-o", str(tmp_path / "drawn.png"), "-n", "4"]) == 0
    picture = np.asarray(Image.open(tmp_path / "drawn.png"), "float64")
    shown = drawn("-n", "4").reshape(2, 2, 8, 8).transpose(0, 2, 1, 3).reshape(16, 16)
    # Numbers of 0 … 1 are black to white.
    np.testing.assert_allclose(picture.reshape(16, 16), shown * 255, atol=0.51)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--interpolate", "1"], "--interpolate 1 has no way between two draws; 2 steps or more"),
        (["--interpolate", "8", "-n", "20"], "20 samples are no whole rows of 8; -n 16"),
    ],
)
def test_ways_that_cannot_be_drawn_are_said(arguments, message, tmp_path, capsys):
    assert main(["sample", "vae", "--weights", "none.npz", "-o", str(tmp_path / "a.png"), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_point_between_normal_draws_is_such_a_draw():
    from archspec.training.latents import along

    first, last = np.random.default_rng(0).normal(size=(2, 4000, 2))
    ways = along(first, last, 5).reshape(4000, 5, 2)
    np.testing.assert_allclose(ways.std(0), 1, atol=0.05)
    np.testing.assert_allclose(ways[:, 0], first)
    np.testing.assert_allclose(ways[:, 4], last)
    straight = along(first, last, 5, is_normal=False).reshape(4000, 5, 2)
    np.testing.assert_allclose(straight[:, 2], (first + last) / 2)


def test_the_catalogue_has_it_by_name():
    assert Path(archspec.load("vae").sources[0].name).name == "vae.yaml"
