"""Keras models as specs: what is compiled of them computes the same."""

import json
import zipfile

import pytest

from archspec.backend.decompiling import of_file, of_model
from archspec.backend.wiring import WeightsError
from tests.wording import refuses


def _file(path, *layers):
    layers = [{"class_name": kind, "module": module, "config": config} for kind, module, config in layers]
    start = {
        "class_name": "InputLayer",
        "module": "keras.layers",
        "config": {"name": "image", "batch_shape": [None, 8, 8, 3]},
    }
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": [start, *layers]}}
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("config.json", json.dumps(config))
    return path


@pytest.mark.parametrize(
    ("kind", "module", "config"),
    [
        ("Lambda", "keras.layers", {}),
        ("Evil", "os", {}),
        ("BatchNormalization", "keras.layers", {"axis": 2}),
    ],
)
def test_what_no_op_says_is_refused_by_the_layers_name(tmp_path, kind, module, config):
    path = _file(tmp_path / "net.keras", (kind, module, {"name": "odd", **config}))
    with refuses(WeightsError):
        of_file(path)


def test_a_file_that_is_none_is_told_so(tmp_path):
    (tmp_path / "net.keras").write_bytes(b"no zip")
    with refuses(WeightsError):
        of_file(tmp_path / "net.keras")


def test_a_chain_is_one_list(tmp_path):
    layers = [("ReLU", "keras.layers", {"name": "a", "max_value": 6}), ("Flatten", "keras.layers", {"name": "b"})]
    assert "body: [relu6, flatten]\n" in of_file(_file(tmp_path / "net.keras", *layers))


@pytest.mark.slow
@pytest.mark.tensorflow
def test_mobilenet_computes_the_same_from_its_spec(tmp_path):
    import keras
    import numpy as np

    from archspec.backend.build import compile
    from archspec.backend.weights import transfer
    from archspec.frontend import loads

    model = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=10)
    model.save(tmp_path / "net.keras")
    text = of_file(tmp_path / "net.keras")
    assert len(text.splitlines()) < 60
    graph = loads(text)
    ours = compile(graph)
    transfer(model, graph, ours)
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(ours(x, training=False), model(x, training=False), rtol=1e-4, atol=1e-6)


@pytest.mark.tensorflow
def test_a_layer_whose_calls_compute_different_things_is_refused():
    from keras import Input, Model, layers

    lstm, x, y = layers.LSTM(4, return_state=True, name="shared"), Input((6, 3)), Input((9, 3))
    _, *states = lstm(x)
    with refuses(WeightsError):
        of_model(Model([x, y], lstm(y, initial_state=states)[0]))
