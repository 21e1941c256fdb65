"""Steps that update all at once, with every backend of Keras: a loss, and no training step of one's own.

What gradient tapes give is in test_alternating_updates.py; here backends are compared, on the same batches.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from tests.shares import few
from tests.tasks.adversarial import specs
from tests.tasks.adversarial.runs import POINTS, RUN, write
from tests.training import runs
from tests.training.peers import ON_JAX, WITHOUT_TENSORFLOW

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
TOGETHER = (
    specs.NETWORKS.replace("dense: 1]", "dense: {units: 1, kernel_regularizer: {l2: 0.01}}]")
    + """
train:
  inputs: {real: [2], z: [3], at: [1]}
  together: true
  average: {G: 0.75}
  body:
    - {G, from: z, as: fake}
    - {hold, from: fake, as: shown}
    - {interpolate, from: [real, fake, at], as: between}
    - {D, from: real, as: real_score}
    - {D, from: shown, as: shown_score}
    - {D, from: fake, as: fake_score}
    - {D, from: between, as: between_score}
  steps:
    - update: [D]
      constraint: {max_norm: 0.8}
      minimize:
        - {binary_crossentropy: [real_score, 1]}
        - {binary_crossentropy: [shown_score, 0], weight: "=2 if rounds < 2 else 1"}
        - {gradient_penalty: [between_score, between], weight: 10}
    - {update: [G], minimize: [{binary_crossentropy: [fake_score, 1]}]}
"""
)
"""With everything but draws, which are each backend's own."""

FIT = """
import json, sys
import keras, numpy as np
from archspec.frontend import load
from archspec.training.updates.simultaneous_updates import SimultaneousUpdates

keras.utils.set_random_seed(0)
model = SimultaneousUpdates(load(sys.argv[1]), seed=1)
draw = np.random.default_rng(7)
for v in model.networks.trainable_variables:
    v.assign(draw.normal(size=v.shape) * 0.5)
optimizers = [keras.optimizers.SGD(0.05), keras.optimizers.Adam(0.01)]
model.compile(optimizers, jit_compile=sys.argv[2] == "jit")
x = {name: draw.normal(size=(32, n)).astype("float32") for name, n in (("real", 2), ("z", 3), ("at", 1))}
history = model.fit(x, np.zeros(32), batch_size=8, epochs=1, shuffle=False, verbose=0).history
judged = model.evaluate(x, np.zeros(32), batch_size=16, verbose=0, return_dict=True)
norms = {f"norm.{share.network}": share.norm for shares in model.optimizer.shares for share in shares}
model.settle()
found = {v.path: v for v in model.networks.variables if "seed" not in v.path}
found |= {name: np.array(value) for name, value in [*history.items(), *((f"val_{k}", v) for k, v in judged.items())]}
found |= norms | {"rounds": model.count}
print(json.dumps({k: np.asarray(keras.ops.convert_to_numpy(v)).ravel().tolist() for k, v in found.items()}))
"""


def fitted(path, backend, *, jit=False):
    done = subprocess.run(
        [sys.executable, "-c", FIT, str(path), "jit" if jit else ""],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    return {name: np.array(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    found = tmp_path_factory.mktemp("together") / "spec.yaml"
    found.write_text(TOGETHER, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def on_tensorflow(path):
    return fitted(path, "tensorflow")


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_gives_what_another_gives(path, on_tensorflow, backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    found = fitted(path, backend, jit=backend == "jax")
    assert found.keys() == on_tensorflow.keys()
    for name, wanted in on_tensorflow.items():
        np.testing.assert_allclose(found[name], wanted, rtol=1e-4, atol=2e-4, err_msg=name)
    assert found["rounds"] == 4
    assert max(np.abs(value).max() for value in found.values()) < 50


def test_what_networks_become_is_bounded_by_the_constraint(on_tensorflow):
    kernels = [value for name, value in on_tensorflow.items() if "D." in name and name.endswith("kernel")]
    shapes = ((2, 6), (6, 1))
    lengths = [np.linalg.norm(k.reshape(shape), axis=0) for k, shape in zip(kernels, shapes, strict=True)]
    assert all(length.max() <= 0.8 + 1e-5 for length in lengths)
    assert lengths[1] >= 0.3


SIMULTANEOUS = POINTS.replace('      turns: "=3 if rounds % 5 == 0 else 2"\n', "").replace(
    "  body:\n    - {G", "  together: true\n  body:\n    - {G"
)


@pytest.mark.parametrize("backend", few(["tensorflow", "jax"], "tensorflow"))
def test_a_run_that_is_killed_ends_to_the_bit_where_another_ends(backend, tmp_path):
    """With a pool, an average, dropout and draws."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {"KERAS_BACKEND": backend}
    run = write(tmp_path, SIMULTANEOUS, RUN.replace("epochs: 4", "epochs: 6"))
    runs.finished("train", run, "--logdir", tmp_path / "whole", "--quiet", environment=environment)
    logdir = tmp_path / "killed"
    process = runs.start("train", run, "--logdir", logdir, "--quiet", environment=environment)
    assert runs.kill_when(process, lambda: runs.reached(logdir) >= 33, 0.02)
    runs.finish(process)
    assert runs.reached(logdir) < 120
    runs.finished("resume", logdir, "--quiet", environment=environment)
    runs.assert_same(logdir, tmp_path / "whole")
    result = json.loads((logdir / "result.json").read_text())
    assert {"D.gradient_penalty.between_score", "G.gradient_norm.G"} <= set(result["training"])


@pytest.mark.skipif(find_spec("jax") is None, reason="jax is not installed")
def test_without_tensorflow_networks_train_and_are_sampled(tmp_path):
    logdir = tmp_path / "run"
    for command in (
        ("train", "gan_digits", "--set", "together=true", "--epochs", "1", "--logdir", logdir, "--quiet"),
        ("sample", logdir, "-n", "16", "-o", tmp_path / "samples.npy"),
    ):
        runs.finished(*command, code=WITHOUT_TENSORFLOW, environment=ON_JAX)
    result = json.loads((logdir / "result.json").read_text())
    assert all(np.isfinite(value) for value in [*result["metrics"].values(), *result["training"].values()])
    samples = np.load(tmp_path / "samples.npy")
    assert samples.shape == (16, 8, 8, 1) and samples.std() > 0.05
