"""Recurrent weights as PyTorch keeps them, against its equations (torch.nn.RNN, LSTM, GRU) written out in numpy."""

import numpy as np
import pytest

import archspec
from archspec.backend.layouts import torch_form

pytestmark = pytest.mark.tensorflow

UNITS, CHANNELS, STEPS = 3, 4, 5
GATES = {"rnn": 1, "lstm": 4, "gru": 3}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def torch_layer(kind, p, x, suffix=""):
    """The outputs of one direction; ``p`` is a state dict, ``x`` is (time, channels)."""
    w_ih, w_hh, b_ih, b_hh = (p[f"{n}_l0{suffix}"] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = c = np.zeros(UNITS)
    out = np.zeros((len(x), UNITS))
    for t in reversed(range(len(x))) if suffix else range(len(x)):
        a, b = w_ih @ x[t] + b_ih, w_hh @ h + b_hh
        if kind == "rnn":
            h = np.tanh(a + b)
        elif kind == "lstm":
            i, f, g, o = np.split(a + b, 4)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            (ar, az, an), (br, bz, bn) = np.split(a, 3), np.split(b, 3)
            r, z = sigmoid(ar + br), sigmoid(az + bz)
            h = (1 - z) * np.tanh(an + r * bn) + z * h
        out[t] = h
    return out


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
    expected = np.concatenate([torch_layer(kind, state, x, suffix) for suffix in suffixes], -1)
    np.testing.assert_allclose(np.asarray(model(x[None]))[0], expected, rtol=1e-5, atol=1e-5)
