"""What ``compile`` gives: layers named as nodes, named ends, one layer for the calls of a network, files that keep."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import archspec
from archspec.backend.export import save
from archspec.frontend import loads
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow

OWN = """
archspec: 1
name: own
inputs: {image: [16, 16, 8]}
body:
  - conv: {filters: 16, kernel: 3, groups: 4, padding: 1}
  - channel_shuffle: 4
  - {lrn, as: normed}
  - residual: [instance_norm, scaled_tanh, {layer_scale: 0.5}]
  - pad: {padding: 1, mode: reflect}
  - max_pool: {size: 3, stride: 2, padding: 1, ceil: true}
  - squeeze_excite: {ratio: 4}
  - reshape: [-1, 16]
  - attention: {heads: 2, key_dim: 8}
  - flatten
  - maxout: 4
  - dropout: 0.5
heads:
  first: [dense: 3]
  second: {from: normed, body: [global_avg_pool, dense: {units: 2, activation: softmax}]}
"""
TWINS = """
archspec: 1
name: twins
inputs: {a: [12, 12, 1], b: [12, 12, 1]}
networks: {tower: {body: [conv_bn: 4, flatten, dense: 5]}}
body:
  - {tower, from: a, as: left}
  - {tower, from: b, as: right}
  - subtract: [left, right]
"""


def test_layers_are_called_as_their_nodes():
    graph = loads(OWN)
    layers = [layer.name for layer in archspec.compile(graph).layers]
    assert sorted(layers) == sorted([*graph.inputs, *(node.name for node in graph.nodes)])


def test_a_single_input_and_head_are_plain_and_several_are_named():
    lenet = archspec.compile(archspec.load("lenet5"))
    assert lenet.input.shape == (None, 32, 32, 1) and lenet.output.shape == (None, 10)
    assert set(archspec.compile(loads(OWN)).output) == {"first", "second"}
    assert set(archspec.compile(loads(TWINS)).input) == {"a", "b"}


def test_heads_for_training_are_left_out_unless_asked_for():
    graph = archspec.load("googlenet", classes=7)
    assert archspec.compile(graph).output.shape == (None, 7)
    assert set(archspec.compile(graph, training=True).output) == {"main", "aux1", "aux2"}


def test_a_network_has_one_set_of_weights():
    model = archspec.compile(loads(TWINS))
    assert model.count_params() == 9 * 4 + 4 * 4 + (12 * 12 * 4 + 1) * 5
    image = np.random.default_rng(0).normal(size=(2, 12, 12, 1)).astype("float32")
    np.testing.assert_allclose(model({"a": image, "b": image}), 0, atol=1e-6)


@pytest.mark.slow
def test_a_file_predicts_the_same_in_a_fresh_process_in_safe_mode(tmp_path):
    model = archspec.compile(loads(OWN))
    image = np.random.default_rng(0).normal(size=(3, 16, 16, 8)).astype("float32")
    save(model, tmp_path / "own.keras")
    np.save(tmp_path / "image.npy", image)
    code = (
        "import sys, keras, numpy as np, archspec.layers; folder = sys.argv[1]; "
        "model = keras.saving.load_model(folder + '/own.keras', safe_mode=True); "
        "np.savez(folder + '/out.npz', **model.predict(np.load(folder + '/image.npy'), verbose=0))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=root, check=True, capture_output=True, timeout=120)
    wanted = model.predict(image, verbose=0)
    with np.load(tmp_path / "out.npz") as found:
        assert set(found) == set(wanted)
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name])
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Lambda)]


def test_only_keras_files_are_written_and_nothing_half(tmp_path):
    model = archspec.compile(archspec.load("lenet5"))
    with refuses(ValueError):
        save(model, tmp_path / "model.h5")
    with pytest.raises(FileNotFoundError):
        save(model, tmp_path / "none" / "model.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_file_says_which_of_its_layers_are_archspecs(tmp_path):
    """Those that it names are needed: without them Keras refuses the file, with the import it opens it."""
    from archspec.backend.export import imports, opened_by

    text = "archspec: 1\nname: net\ninputs: {x: [8, 8, 3]}\nbody: [conv: {filters: 4, kernel: 3}, BODY, flatten]\n"
    plain = archspec.compile(loads(text.replace("BODY", "resize: [6, 5]")))
    own = archspec.compile(loads(text.replace("BODY", "resize: {size: [6, 5], mode: torch_area}")))
    assert (imports(plain), opened_by(plain)) == ({}, "Keras opens it as it is")
    assert opened_by(own) == "Keras opens it after 'import archspec.layers', for Resize"


@pytest.mark.parametrize(
    ("steps", "own"),
    [
        ("[rms_norm, group_norm: 2, instance_norm, global_avg_pool]", ()),
        ("[{slice: {range: [1, 3], axis: 0}}, subsample: 2, adaptive_avg_pool: 1]", ()),
        ("[expand_dims: 0, squeeze: 0, flatten]", ()),
        (
            "[leaky_relu: 0.1, elu: 0.5, softmax: 0, l2_normalize, clip: {min: 0}, reduce: {reduction: max, axis: 0}]",
            (),
        ),
        (
            "[{dense: 4, as: a}, {attention: 2, from: [x, a]}, {additive_attention, from: [prev, a]}, global_max_pool]",
            (),
        ),
        ("[{dense: 4, as: a}, {matmul: {transpose_b: true}, from: [x, a]}, flatten]", ()),
        # One of a layer's calls may have a mask that another has not.
        ("[norm, norm]\nnetworks: {norm: {inputs: {x: [6, 4]}, body: [rms_norm]}}", ("RootMeanSquareNormalization",)),
        ("[mask: 0, rms_norm, global_avg_pool]", ("MaskedGlobalAveragePooling1D", "RootMeanSquareNormalization")),
        ("[attention: 2, global_avg_pool]", ("Attention",)),
    ],
)
def test_where_keras_has_a_layer_that_computes_the_same_it_is_that(steps, own):
    """Without a mask; with one Keras's own would read what it leaves out, or lose it."""
    from archspec.backend.export import imports

    text = f"archspec: 1\nname: net\ninputs: {{x: [6, 4]}}\nbody: {steps}\n"
    assert imports(archspec.compile(loads(text))) == ({"archspec.layers": own} if own else {})


@pytest.mark.parametrize(
    ("head", "dtype"),
    [("dense: 2", "float32"), ("spectral_norm: {dense: 2}", "float32"), ("cast: int32", "int32"), ("argmax", "int32")],
)
def test_in_half_precision_a_head_is_what_its_op_says(head, dtype):
    graph = loads(f"archspec: 1\nname: net\ninputs: {{x: [3, 4]}}\nbody: [dense: 4, {head}]\n")
    usual = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = archspec.compile(graph)
        made = keras.config.dtype_policy()
    finally:
        keras.config.set_dtype_policy(usual)
    assert made.name == "mixed_bfloat16"
    assert model.output.dtype == graph.nodes[-1].output.dtype == dtype
    assert keras.backend.standardize_dtype(model(np.ones((1, 3, 4))).dtype) == dtype
    assert model.layers[1].output.dtype == "bfloat16"
