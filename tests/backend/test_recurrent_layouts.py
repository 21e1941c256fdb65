"""Recurrent weights as PyTorch keeps them, against its equations (torch.nn.RNN, LSTM, GRU) written out in numpy."""

import numpy as np
import pytest

import archspec
from archspec.backend.layouts import torch_form
from tests.backend.torch_layers import recurrent

pytestmark = pytest.mark.tensorflow

UNITS, CHANNELS, STEPS = 3, 4, 5
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


@pytest.mark.fast(3)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("kind", GATES)
def test_a_state_dict_computes_what_pytorch_does(tmp_path, kind, both):
    op = f"{kind}: {{units: {UNITS}, sequences: true}}"
    step = f"bidirectional: {{{op}}}" if both else op
    path = tmp_path / "net.yaml"
    path.write_text(
        f"archspec: 1\nname: net\ninputs: {{x: [{STEPS}, {CHANNELS}]}}\nbody:\n  - {step}\n", encoding="utf-8"
    )
    graph = archspec.load(path)
    rng, (node,) = np.random.default_rng(0), graph.nodes
    rows = GATES[kind] * UNITS
    shapes = {"weight_ih": (rows, CHANNELS), "weight_hh": (rows, UNITS), "bias_ih": (rows,), "bias_hh": (rows,)}
    suffixes = ["", "_reverse"] if both else [""]
    state = {f"{n}_l0{s}": rng.normal(size=shape) for s in suffixes for n, shape in shapes.items()}

    forms = [torch_form(node, weight) for weight in node.weights]
    assert {role for form in forms for role in form.roles} == set(state)
    assert all(state[role].shape == shape for f in forms for role, shape in zip(f.roles, f.shapes, strict=True))
    model = archspec.compile(graph)
    model.set_weights([form.convert(*(state[role] for role in form.roles)) for form in forms])

    x = rng.normal(size=(STEPS, CHANNELS)).astype("float32")
    named = {f"layer.{role}": array for role, array in state.items()}
    expected = np.concatenate([recurrent(kind, named, "layer", x, f"_l0{suffix}") for suffix in suffixes], -1)
    np.testing.assert_allclose(np.asarray(model(x[None]))[0], expected, rtol=1e-5, atol=1e-5)
