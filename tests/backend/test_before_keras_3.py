"""Files of before Keras 3, written by tf_keras: a spec with their weights computes what tf_keras did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archspec
from archspec.backend.importers import opened
from archspec.backend.weights import assign, imported

pytestmark = pytest.mark.tensorflow
CASES = Path(__file__).parent / "cases"


@pytest.mark.fast(2)
@pytest.mark.parametrize(
    "name",
    [
        "operators.h5",  # x + y, 2 * x, tf.nn.relu and tf.concat are layers, whose call is a tensor and no list of them
        "operators.keras",
        "attention.keras",  # a tensor among the other arguments of a call
        "nested.h5",  # the making of a model counts as a call of it
        "nested.keras",
        "named.h5",  # a model that is called on a dict
        "named.keras",  # groups of arrays have keys by class, dense_1, and no names
    ],
)
def test_a_model_of_before_keras_3(name):
    stem = name.partition(".")[0]
    graph = archspec.load(CASES / "keras2" / f"{stem}.yaml")
    kept = np.load(CASES / "keras2" / "io.npz")
    model = archspec.compile(graph)
    found = imported(CASES / "keras2" / name, graph)
    assign(model, found.values)
    given = [kept[key] for key in sorted(kept) if key.startswith(f"{stem}_x")]
    said = model(given if len(given) > 1 else given[0])
    np.testing.assert_allclose(said, kept[f"{stem}_y"], atol=1e-6)
    assert not found.notes


def test_all_layers_of_a_subclassed_model():
    """Its attributes, a list and a model within it stand beside the group 'layers'; one layer of five was found."""
    found = {layer.name: layer.shapes for layer in opened(CASES / "subclass.weights.h5").layers}
    kernel = ((3, 3, 4, 4), (4,))
    assert found == {
        "conv2d": ((3, 3, 3, 4), (4,)),
        "back.bn": ((4,),) * 4,
        "blocks.c0": kernel,
        "blocks.c1": kernel,
        "head": ((4, 3), (3,)),
    }
