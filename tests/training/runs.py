"""Small runs that tests train in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from random import Random

import numpy as np

SOAK = int(os.environ.get("ARCHSPEC_SOAK", "1"))
"""How many times as many faults the tests put in: 5 is 50 signals, 20 is 10,000 flipped bits of a checkpoint."""

SPEC = """
archspec: 1
name: small
params: {classes: 10, rate: 0.3}
inputs: {image: [8, 8, 1]}
body:
  - conv: {filters: 8, kernel: 3}
  - batch_norm
  - relu
  - dropout: =rate
  - {conv: {filters: 8, kernel: 3, stride: 2}, as: second}
  - relu
  - flatten
  - dropout: =rate
heads:
  main: {body: [dense: {units: =classes, activation: softmax}], loss: categorical_crossentropy}
"""

RUN = """
archspec_run: 1
spec: small.yaml
data: digits
augment: [shift: 0.1, rescale]
train: {optimizer: {adam: 0.01}, epochs: 4, batch: 32, seed: 5, ema: 0.99, steps_per_execution: 1, checkpoint_steps: 17}
"""


def write(folder: Path, run: str = RUN, spec: str = SPEC) -> Path:
    """The run file and its spec in a folder."""
    (folder / "small.yaml").write_text(spec)
    path = folder / "small_run.yaml"
    path.write_text(run)
    return path


def start(
    *arguments: str | Path, code: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """``archspec …`` in a process of its own; ``code`` runs there before."""
    program = f"{code}\nfrom archspec.cli import main\nimport sys\nsys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
        cwd=Path(__file__).parents[2],
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def finished(*arguments: str | Path, code: str = "", environment: Mapping[str, str] | None = None) -> tuple[str, str]:
    """Stdout and stderr of a command that must end well."""
    ended, out, err = finish(start(*arguments, code=code, environment=environment))
    assert ended == 0, err
    return out, err


def kill_when(process: subprocess.Popen[str], ready: object, delay: float = 0.0, number: int = signal.SIGKILL) -> bool:
    """Send a signal once ``ready()`` and a while after; False if the process had ended before."""
    while process.poll() is None and not ready():  # type: ignore[operator]
        time.sleep(0.005)
    time.sleep(delay)
    if process.poll() is not None:
        return False
    process.send_signal(number)
    return True


def reached(logdir: Path) -> int:
    """The step of the last generation."""
    return max((int(p.name) for p in (logdir / "checkpoints").glob("[0-9]*")), default=0)


KILLS = 4 if "ARCHSPEC_SOAK" in os.environ else 2


def killed_and_resumed(run: Path, logdir: Path, draw: Random) -> int:
    """Train to the end, killed up to ``KILLS`` times on the way; how often it was.

    The first kill strikes while the network is built, those after it anywhere in training, saving and evaluation.
    """
    process, kills = start("train", run, "--logdir", logdir, "--quiet"), 0
    for k in count():
        before = reached(logdir)
        ready = (logdir / "run.yaml").exists if k == 0 else lambda before=before: reached(logdir) > before
        if k < KILLS and kill_when(process, ready, draw.random() * (2.0 if k == 0 else 0.15)):
            finish(process)
            kills += 1
            process = start("resume", logdir, "--quiet")
            continue
        code, _, err = finish(process)
        assert code == 0, err
        break
    return kills


def state(logdir: Path) -> dict[str, np.ndarray]:
    """Every array of the last checkpoint."""
    last = sorted((logdir / "checkpoints").glob("[0-9]*"))[-1]
    with np.load(last / "state.npz", allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def assert_same(one: Path, other: Path, *, within: bool = True) -> None:
    """Two runs ended in the same weights, optimiser, generators and log, to the bit; ``within``: also in the rows of
    steps within epochs, but for the time that they took."""
    a, b = state(one), state(other)
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert (one / "log.csv").read_bytes() == (other / "log.csv").read_bytes()
    if within:
        assert rows(one) == rows(other)


def rows(logdir: Path) -> list[dict[str, float]]:
    """The rows of ``log.jsonl`` without what depends on the machine."""
    lines = (logdir / "log.jsonl").read_text().splitlines()
    return [{n: v for n, v in json.loads(line).items() if n != "examples_per_second"} for line in lines]
