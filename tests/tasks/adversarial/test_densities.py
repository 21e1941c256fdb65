"""Adversarial training against what is known of it: the best discriminator, and the modes of a ring."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from archspec.cli import main
from archspec.runs import Run
from archspec.training.updates.alternating_updates import AlternatingUpdates
from tests.tasks.adversarial import specs

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

LINE = """
archspec: 1
name: line
networks:
  G: {inputs: {z: [1]}, body: [dense: 1]}
  D: {inputs: {x: [1]}, body: [{do: [dense: 32, tanh], repeat: 2}, dense: {units: 1, activation: sigmoid}]}
train:
  inputs: {real: [1], z: {normal: [1]}}
  body:
    - {G, from: z, as: fake}
    - {D, from: real, as: real_score}
    - {D, from: fake, as: fake_score}
  steps:
    - update: [D]
      minimize: [{binary_crossentropy: [real_score, 1]}, {binary_crossentropy: [fake_score, 0]}]
"""


def density(x, mean, deviation):
    return np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))


def test_a_trained_discriminator_gives_p_over_p_plus_q(tmp_path):
    """Goodfellow et al. 2014, proposition 1: real N(0, 1), made N(1, 1.5)."""
    keras.utils.set_random_seed(0)
    model = AlternatingUpdates(specs.graph(tmp_path, LINE))
    model.networks.get_layer("G.dense").set_weights([np.array([[1.5]], "float32"), np.array([1.0], "float32")])
    rate = keras.optimizers.schedules.CosineDecay(0.01, 2000)
    model.compile(keras.optimizers.Adam(rate), steps_per_execution=50)
    real = np.random.default_rng(0).normal(size=(512 * 2000, 1)).astype("float32")
    model.fit(real, batch_size=512, shuffle=False, verbose=0)
    x = np.linspace(-2, 3, 51, dtype="float32")[:, None]
    found = keras.Model(model.networks.input["D.x"], model.networks.output["D.output"])(x).numpy()
    p, q = density(x, 0, 1), density(x, 1, 1.5)
    assert np.abs(found - p / (p + q)).max() < 0.05


CENTRES = np.stack([np.cos(np.arange(8) * np.pi / 4), np.sin(np.arange(8) * np.pi / 4)], 1)


def ring(count, rng):
    return (CENTRES[rng.integers(0, 8, count)] + rng.normal(scale=0.05, size=(count, 2))).astype("float32")


def covered(samples):
    """Modes with 2 % of the samples within 3 deviations, and the share of samples that lie so near to any."""
    distance = np.linalg.norm(samples[:, None] - CENTRES, axis=-1)
    near = distance.min(1) <= 0.15
    return sum((near & (distance.argmin(1) == k)).mean() >= 0.02 for k in range(8)), near.mean()


def test_the_measure_of_the_ring_tells_good_from_bad():
    rng = np.random.default_rng(0)
    modes, share = covered(ring(5000, rng))
    assert modes == 8
    assert share > 0.95
    assert covered(rng.normal(size=(5000, 2)))[1] < 0.3
    assert covered(np.repeat(CENTRES[:1], 5000, 0)) == (1, 1.0)


@pytest.mark.long
def test_a_critic_with_gradient_penalty_covers_the_ring(tmp_path):
    """Eight modes, 75 % of 5,000 samples near one, median of three seeds, by the run file, through what it saves."""
    from archspec.training.run import run

    shares = []
    for seed in range(3):
        plan = Run.open("wgan_gp_ring", seed=seed).plan()
        assert plan.steps * plan.spec.train.epochs == 3000
        logdir = tmp_path / str(seed)
        run(plan, logdir, progress=None)
        assert main(["sample", str(logdir), "-n", "5000", "--seed", "99", "-o", str(logdir / "points.npy")]) == 0
        modes, share = covered(np.load(logdir / "points.npy"))
        assert modes == 8
        shares.append(share)
    assert np.median(shares) >= 0.75, shares
