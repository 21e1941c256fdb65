"""Runs on JAX, with and without TensorFlow, in one process or several that meet on loopback."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import numpy as np

from tests.training import runs

WITHOUT_TENSORFLOW = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorboard"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocked())
"""
ON_JAX = {"KERAS_BACKEND": "jax"}


def start_all(*arguments: str | Path, count: int = 2, code: str = "") -> list[subprocess.Popen[str]]:
    """``archspec …`` once for each of several processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**ON_JAX, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
    return [runs.start(*arguments, code=code, environment={**common, "RANK": str(i)}) for i in range(count)]


def finish_all(processes: list[subprocess.Popen[str]]) -> str:
    """What the first said on stdout; all must have ended well."""
    ended = [runs.finish(process) for process in processes]
    for code, _, err in ended:
        assert code == 0, err
    for _, out, _ in ended[1:]:
        assert out == ""
    return ended[0][1]


def assert_close(one: Path, other: Path, tolerance: float) -> None:
    """Two runs ended in about the same weights, and logged about the same."""
    with np.load(one / "weights.npz") as a, np.load(other / "weights.npz") as b:
        assert list(a) == list(b)
        for name in a:
            np.testing.assert_allclose(a[name], b[name], atol=tolerance, err_msg=name)
    rows = [np.loadtxt(logdir / "log.csv", delimiter=",", skiprows=1) for logdir in (one, other)]
    np.testing.assert_allclose(rows[0], rows[1], atol=tolerance)
