"""Given the weights of keras.applications, compiled specs compute what keras.applications computes.

The source has random weights, batch-norm statistics and biases included, so that no mistake hides behind zeros and
ones; its layers are found by wiring and shape alone.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import applications

import archspec
from archspec.backend.weights import transfer
from tests.shares import few

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

CASES = [
    ("vgg16", applications.VGG16, 32),
    ("vgg19", applications.VGG19, 32),
    ("resnet50_keras", applications.ResNet50, 64),
    ("resnet101_keras", applications.ResNet101, 64),
    ("resnet152_keras", applications.ResNet152, 64),
    ("resnet50_v2_keras", applications.ResNet50V2, 64),
    ("densenet121", applications.DenseNet121, 64),
    ("densenet169", applications.DenseNet169, 64),
    ("densenet201", applications.DenseNet201, 64),
    ("inception_v3_keras", applications.InceptionV3, 299),
    ("inception_resnet_v2", applications.InceptionResNetV2, 75),
    ("xception", applications.Xception, 71),
    ("mobilenet_v1", applications.MobileNet, 64),
    ("mobilenet_v2", applications.MobileNetV2, 64),
]


@pytest.mark.parametrize(
    ("name", "source", "size"),
    few(CASES, "resnet50_v2_keras", "xception", "mobilenet_v2"),
    ids=[name for name, _, _ in CASES],
)
def test_outputs_equal_those_of_keras_applications(name, source, size):
    rng = np.random.default_rng(7)
    keras.utils.set_random_seed(7)
    theirs = source(weights=None, input_shape=(size, size, 3), classes=10)
    image = rng.normal(0, 1, (2, size, size, 3)).astype("float32")
    randomise(theirs, rng, image)
    graph = archspec.load(name, size=size, classes=10)
    ours = archspec.compile(graph)
    wanted = run(theirs, image)
    # Different images give different answers, and our own random weights others: agreement below means something.
    assert np.ptp(wanted, axis=0).max() > 1e-2
    assert np.abs(run(ours, image) - wanted).max() > 1e-2
    pairs = transfer(theirs, graph.inference(), ours)
    assert sorted(pairs.values()) == sorted(layer.name for layer in theirs.layers if layer.weights)
    assert np.abs(run(ours, image) - wanted).max() <= 1e-4
    keras.backend.clear_session()


def run(model: keras.Model, image: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(image, training=False))


def randomise(model: keras.Model, rng: np.random.Generator, image: np.ndarray) -> None:
    """Random weights through which the image is still seen at the end.

    Scales and variances lie about 1, shifts and means about 0. Batch norms get the statistics of the image, blurred;
    without batch norms the kernels are He's.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) == 1:
                is_scale = weight.path.rpartition("/")[2] in ("gamma", "moving_variance")
                low, high = (0.6, 1.4) if is_scale else (-0.1, 0.1)
                weight.assign(rng.uniform(low, high, weight.shape))
            elif not norms:
                weight.assign(rng.normal(0, np.sqrt(2 / np.prod(weight.shape[:-1])), weight.shape))
    for norm in norms:
        norm.momentum = 0.0
    model(image, training=True)
    for norm in norms:
        spread = np.sqrt(keras.ops.convert_to_numpy(norm.moving_variance))
        norm.moving_mean.assign_add(0.1 * spread * rng.normal(size=spread.shape))
        norm.moving_variance.assign(norm.moving_variance * rng.uniform(0.8, 1.25, spread.shape))
    spread_answers(model, image)


def spread_answers(model: keras.Model, image: np.ndarray) -> None:
    """Scale the classifier to scores of unit spread, so that no softmax saturates."""
    classifier = [layer for layer in model.layers if layer.weights][-1]
    features = run(keras.Model(model.inputs, classifier.input), image)
    kernel = keras.ops.convert_to_numpy(classifier.kernel)
    scores = features.reshape(len(image), -1) @ kernel.reshape(-1, kernel.shape[-1])
    classifier.kernel.assign(kernel / scores.std())
