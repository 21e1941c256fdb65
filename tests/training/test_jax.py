"""Runs on JAX: fed by tf.data, or where TensorFlow cannot be imported."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.training import runs
from tests.training.peers import ON_JAX, WITHOUT_TENSORFLOW

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
pytest.importorskip("jax")


def finished(*arguments, code="", environment=ON_JAX):
    return runs.finished(*arguments, code=code, environment=environment)


@pytest.mark.long
def test_a_run_with_augmentation_that_is_killed_ends_to_the_bit_where_another_ends(tmp_path):
    run = runs.write(tmp_path)
    finished("train", run, "--logdir", tmp_path / "whole", "--quiet")
    draw, logdir = random.Random(1), tmp_path / "killed"
    process = runs.start("train", run, "--logdir", logdir, "--quiet", environment=ON_JAX)
    # Within the second epoch, whose running means are to be kept too.
    assert runs.kill_when(process, lambda: runs.reached(logdir) >= 51, draw.random() * 0.1)
    runs.finish(process)
    assert runs.reached(logdir) < 176
    finished("resume", logdir, "--quiet")
    runs.assert_same(logdir, tmp_path / "whole")
    packages = json.loads((logdir / "environment.json").read_text())["packages"]
    assert "jax" in packages
    assert any((logdir / "train").iterdir()), "TensorBoard's files come from TensorFlow, which is there"


COUNTED = """
import atexit
from keras.src.backend.jax.trainer import JAXTrainer
own, calls = JAXTrainer.train_step, []
JAXTrainer.train_step = lambda *arguments: calls.append(1) or own(*arguments)
atexit.register(lambda: print(len(calls), "steps were traced"))
"""


def test_without_tensorflow_a_network_learns_digits_and_is_resumed(tmp_path):
    run = runs.write(
        tmp_path,
        "archspec_run: 1\nspec: small.yaml\ndata: digits\naugment: [normalize: {mean: data, std: data}]\n"
        "train: {optimizer: {adam: 0.01}, epochs: 3, batch: 32, seed: 0, checkpoint_steps: 10}\n",
    )
    logdir = tmp_path / "run"
    process = runs.start("train", run, "--logdir", logdir, code=WITHOUT_TENSORFLOW, environment=ON_JAX)
    assert runs.kill_when(process, lambda: runs.reached(logdir) >= 50)
    _, _, err = runs.finish(process)
    assert "TensorBoard's files need TensorFlow" in err
    out, _ = finished("resume", logdir, code=WITHOUT_TENSORFLOW + COUNTED)
    assert "132 steps" in out
    # A step is compiled once for each size of a batch, and run by XLA after that.
    assert int(out.splitlines()[-1].split()[0]) <= 2
    result = json.loads((logdir / "result.json").read_text())
    assert result["metrics"]["accuracy"] >= 0.9
    assert not (logdir / "train").exists()
    assert all(np.isfinite(value).all() for value in runs.state(logdir).values())


def test_without_tensorflow_augmentation_that_needs_it_is_refused(tmp_path):
    run = runs.write(tmp_path)
    process = runs.start("train", run, "--logdir", tmp_path / "run", code=WITHOUT_TENSORFLOW, environment=ON_JAX)
    code, out, err = runs.finish(process)
    assert (code, out) == (1, "")
    assert "shift needs TensorFlow, which cannot be imported" in err
    assert "small_run.yaml:5:" in err
    assert not (tmp_path / "run").exists()


def test_the_benchmark_of_gpus_runs_without_one_and_without_tensorflow():
    code = f"{WITHOUT_TENSORFLOW}\nimport runpy\nrunpy.run_path('tools/bench_gpu.py', run_name='__main__')"
    flags = ["--spec", "lenet5", "--batch", "8", "--steps", "4", "--epochs", "3", "--precision", "float32"]
    done = subprocess.run(
        [sys.executable, "-c", code, *flags, "--peak", "0.5", "--format", "json"],
        capture_output=True,
        text=True,
        env={**os.environ, **ON_JAX},
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    # 416,520 multiply-accumulates: 6·25·784 + 16·150·100 + 400·120 + 120·84 + 84·10.
    assert found["gmacs"] == pytest.approx(416_520e-9)
    assert found["mfu"] == pytest.approx(found["images_per_second"] * 6 * 416_520 / 0.5e12)
    assert len(found["epochs"]) == 2 and found["images_per_second"] > 0
