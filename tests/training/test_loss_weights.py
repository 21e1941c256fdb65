"""The weight of a head counts in training, also where the head is the only one."""

import keras
import numpy as np
import pytest

from archspec.data.example import Example
from archspec.frontend import loads
from archspec.tasks.classification import Classification
from archspec.tasks.labelling import Labelling
from archspec.training.settings import TrainSettings

pytestmark = pytest.mark.tensorflow
SPEC = """\
archspec: 1
name: n
inputs: {{image: [{shape}]}}
body: []
heads:
  main: {{body: [dense: 3], loss: sparse_categorical_crossentropy, weight: {weight}}}
"""


def loss_of(task, shape: str, weight: float, x: np.ndarray, y: np.ndarray) -> float:
    """What Keras evaluates of a network whose weights are 0.1, as a task has it compiled."""
    import archspec

    graph = loads(SPEC.format(shape=shape, weight=weight))
    model = archspec.compile(graph)
    model.set_weights([0.1 * (np.arange(w.size).reshape(w.shape) % 3) for w in model.get_weights()])
    objective = task.trainer(graph, model, TrainSettings(), Example({}))
    model.compile("sgd", **objective.compiled())
    keras.utils.set_random_seed(0)
    return float(model.evaluate(x, y, verbose=0, return_dict=True)["loss"])


@pytest.mark.parametrize(
    ("task", "shape", "labels"),
    [(Classification(), "4", (8,)), (Labelling(), "5, 4", (8, 5))],
    ids=("classes", "steps"),
)
def test_the_weight_of_one_head(task, shape, labels):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(8, *map(int, shape.split(", ")))).astype("float32")
    y = rng.integers(0, 3, labels)
    whole = loss_of(task, shape, 1, x, y)
    assert whole > 0.1
    np.testing.assert_allclose(loss_of(task, shape, 0.25, x, y), whole / 4, rtol=1e-5)
