"""Refusals of weights say what to write, and what PyTorch's odd arrays are; notes say what a file cannot."""

from __future__ import annotations

import re

import numpy as np
import pytest

import archspec
from archspec.backend.rules import Rules
from archspec.backend.weights import imported
from archspec.backend.wiring import WeightsError
from tests.wording import refuses

pytestmark = pytest.mark.tensorflow  # NumPy comes with the extra


def spec(tmp_path, inputs, body):
    (tmp_path / "net.yaml").write_text(f"archspec: 1\nname: net\ninputs: {inputs}\nbody: {body}\n")
    return archspec.load(tmp_path / "net.yaml")


def kept(tmp_path, shapes):
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "w.npz", **{name: draw.normal(size=shape) for name, shape in shapes.items()})
    return tmp_path / "w.npz"


TWO = {"one.weight": (3, 4), "one.bias": (3,), "aux.weight": (7, 4), "aux.bias": (7,)}


def test_what_a_spec_has_no_place_for_is_ignored_by_a_rule_that_is_printed(tmp_path):
    graph = spec(tmp_path, "{x: [4]}", "[dense: 3]")
    with pytest.raises(WeightsError) as caught:
        imported(kept(tmp_path, TWO), graph)
    said, rule = str(caught.value).split("\n")
    assert said.endswith("to leave out what the spec has no place for, state in rules")
    pattern = re.fullmatch(r"  ignore: \[(.*)\]", rule)
    assert pattern and set(imported(tmp_path / "w.npz", graph, Rules.of({"ignore": [pattern[1]]})).values)
    # Under the spec's own names likewise.
    own = {"dense/kernel": (4, 3), "dense/bias": (3,), "aux/kernel": (4, 7), "aux/bias": (7,)}
    with refuses(WeightsError):
        imported(kept(tmp_path, own), graph)


def test_where_the_spec_lacks_something_too_no_rule_is_offered(tmp_path):
    graph = spec(tmp_path, "{x: [4]}", "[dense: 5]")
    with refuses(WeightsError):
        imported(kept(tmp_path, TWO), graph)


ODD = {
    "attention.in_proj_weight": ((12, 4), "queries, keys and values in one, of torch.nn.MultiheadAttention"),
    "conv.weight_g": ((3, 1, 1, 1), "weight normalisation, of which the weight is g · v / |v|"),
    "conv.weight_v": ((3, 2, 3, 3), "weight normalisation"),
    "conv.parametrizations.weight.original0": ((3, 1, 1, 1), "remove_parametrizations"),
    "conv.weight_orig": ((3, 2, 3, 3), "spectral normalisation or pruning"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_arrays_of_pytorch_are_called_what_they_are(name, tmp_path):
    shape, said = ODD[name]
    graph = spec(tmp_path, "{x: [4]}", "[dense: 3]")
    path = kept(tmp_path, {"one.weight": (3, 4), "one.bias": (3,), name: shape})
    with pytest.raises(WeightsError, match=rf"{re.escape(name)} is .*{re.escape(said)}"):
        imported(path, graph)


def test_weights_and_biases_in_short(tmp_path):
    graph = spec(tmp_path, "{x: [4]}", "[dense: 3, bias]")
    found = imported(kept(tmp_path, {"one.w": (3, 4), "one.b": (3,), "two.bias": (3,)}), graph)
    assert found.names == {"dense": "one", "bias": "two"}
    assert np.array_equal(found.values["dense/bias"], np.load(tmp_path / "w.npz")["one.b"].astype("float32"))


def test_a_state_dict_does_not_say_the_function_of_a_recurrent_layer(tmp_path):
    shapes = {"weight_ih_l0": (4, 3), "weight_hh_l0": (4, 4), "bias_ih_l0": (4,), "bias_hh_l0": (4,)}
    path = kept(tmp_path, {f"r.{role}": shape for role, shape in shapes.items()})
    for function in ("tanh", "relu"):
        note, _ = imported(path, spec(tmp_path, "{x: [5, 3]}", f"[rnn: {{units: 4, activation: {function}}}]")).notes
        assert note.endswith(f"net.yaml:4:8: the file does not say the activation of rnn; rnn has {function}")


def test_numbers_as_the_only_evidence_are_told(tmp_path):
    graph = spec(tmp_path, "{x: [4]}", "[dense: 4, relu, dense: 4, relu, dense: 2]")
    shapes = {f"layers.{i}.{role}": s for i in (0, 2) for role, s in (("weight", (4, 4)), ("bias", (4,)))}
    found = imported(kept(tmp_path, {**shapes, "layers.4.weight": (2, 4), "layers.4.bias": (2,)}), graph)
    assert found.notes[0] == (
        "layers of one shape were distinguished only by the order of the numbers in their names: layers.0, layers.2"
    )


def test_letters_count_like_numbers(tmp_path):
    graph = spec(tmp_path, "{x: [4]}", "[dense: 4, relu, dense: 4]")
    shapes = {f"fc_{i}.{role}": s for i in "ab" for role, s in (("weight", (4, 4)), ("bias", (4,)))}
    assert imported(kept(tmp_path, shapes), graph).names == {"dense": "fc_a", "dense_2": "fc_b"}
