"""A Keras file of layers that are done for each item is read back into its spec, and not into another one."""

from __future__ import annotations

import numpy as np
import pytest

import archspec
from archspec.backend import weights
from archspec.backend.archive import WeightsError
from archspec.backend.export import save
from tests.wording import refuses

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

HEAD = "archspec: 1\nname: items\ninputs: {frames: [3, 8, 8, 3]}\n"
TAIL = "\nheads: {main: {}}\n"
SPECS = {
    "steps": """body:
  - {conv: {filters: 4, kernel: 3, activation: relu}, each: items}
  - {flatten, each: items}
  - {dense: 5, each: items}""",
    "padded": """body:
  - {pad: 1, each: items}
  - {conv: {filters: 4, kernel: 3, stride: 2, padding: valid}, each: items}
  - {batch_norm, each: items}""",
    "chain": """body:
  - {do: [conv: 4, {conv: {filters: 4, kernel: 3}}, relu], each: items}
  - {conv: {filters: 6, kernel: 3, activation: tanh}, each: items}""",
    "network": """networks:
  side: {body: [conv: 4, flatten, dense: 6]}
body:
  - {side, each: items, as: a}
  - {sigmoid, from: frames}
  - {side, each: items, as: b}
  - {subtract: [a, b]}
  - {dense: 2, each: items}""",
}


@pytest.mark.parametrize("body", SPECS)
def test_our_own_files_of_items_are_read(body, tmp_path):
    graph = archspec.loads(HEAD + SPECS[body] + TAIL)
    model = archspec.compile(graph)
    draw = np.random.default_rng(0)
    model.set_weights([draw.uniform(0.5, 1, w.shape) for w in model.weights])
    save(model, tmp_path / "net.keras")
    found = weights.imported(tmp_path / "net.keras", graph).values
    other = archspec.compile(graph)
    weights.assign(other, found)
    x = draw.normal(size=(2, 3, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(model(x, training=False), other(x, training=False))


@pytest.mark.parametrize(
    ("changed", "written"), [("activation: relu", "activation: tanh"), ("kernel: 3", "kernel: 3, stride: 2")]
)
def test_files_of_items_that_compute_something_else_are_refused(changed, written, tmp_path):
    save(archspec.compile(archspec.loads(HEAD + SPECS["steps"] + TAIL)), tmp_path / "net.keras")
    with refuses(WeightsError):
        weights.imported(tmp_path / "net.keras", archspec.loads(HEAD + SPECS["steps"].replace(changed, written) + TAIL))
