"""Recurrent layers, step by step in numpy from the papers' equations."""

import numpy as np

from tests.ops.rows import Row


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


def rnn_step(w, x, h, act):
    return (act(x @ w["kernel"] + w.get("bias", 0.0) + h @ w["recurrent_kernel"]),)


def lstm_step(w, x, h, c, act, gate):
    i, f, g, o = np.split(x @ w["kernel"] + h @ w["recurrent_kernel"] + w.get("bias", 0.0), 4, axis=-1)
    c = gate(f) * c + gate(i) * act(g)
    return gate(o) * act(c), c


def gru_step(w, x, h, act, gate, reset_after):
    units = h.shape[-1]
    bias = w.get("bias", np.zeros((2, 3 * units) if reset_after else 3 * units))
    given, own = bias if reset_after else (bias, np.zeros(3 * units))
    xz, xr, xg = np.split(x @ w["kernel"] + given, 3, axis=-1)
    rz, rr, rg = np.split(w["recurrent_kernel"], 3, axis=-1)
    oz, o_r, og = np.split(own, 3)
    z, r = gate(xz + h @ rz + oz), gate(xr + h @ rr + o_r)
    g = act(xg + r * (h @ rg + og)) if reset_after else act(xg + (r * h) @ rg)
    return (z * h + (1 - z) * g,)


def run(step, count, weights, x, states, reverse=False, sequences=False, out_states=False, **options):
    """``count`` states; a step that is read backwards keeps its place in the output."""
    units = weights["recurrent_kernel"].shape[0]
    states = list(states) or [np.zeros((len(x), units))] * count
    y = np.zeros((*x.shape[:2], units))
    for t in reversed(range(x.shape[1])) if reverse else range(x.shape[1]):
        states = list(step(weights, x[:, t], *states, **options))
        y[:, t] = states[0]
    out = y if sequences else states[0]
    return (out, *states) if out_states else out


STEPS = {"rnn": (rnn_step, 1, "simple_rnn_cell"), "lstm": (lstm_step, 2, "lstm_cell"), "gru": (gru_step, 1, "gru_cell")}


def oracle(op, prefix="", **options):
    step, count, cell = STEPS[op]
    options = {"act": np.tanh, **({} if op == "rnn" else {"gate": sigmoid}), **options}
    if op == "gru":
        options.setdefault("reset_after", True)

    def computed(weights, x, *states):
        own = {
            n.rpartition("/")[2]: v.astype("float64") for n, v in weights.items() if n.startswith(f"{prefix}{cell}/")
        }
        return run(step, count, own, x, states, **options)

    return computed


def both(op, merge, **options):
    there, back = oracle(op, f"forward_{op}/", **options), oracle(op, f"backward_{op}/", reverse=True, **options)

    def computed(weights, x):
        return merge(there(weights, x), back(weights, x))

    return computed


def concat(a, b):
    return np.concatenate([a, b], -1)


def _row(op, args, shape=(5, 3), states=0, **options):
    return Row(op, {"units": 4, **args}, (shape, *((4,),) * states), oracle(op, **options))


ROWS = [
    *(
        row
        for op, states in (("rnn", 1), ("lstm", 2), ("gru", 1))
        for row in (
            _row(op, {}),
            _row(op, {}, (1, 1)),
            _row(op, {"sequences": True}, sequences=True),
            _row(op, {"sequences": True, "bias": False}, (2, 6), sequences=True),
            _row(op, {"activation": "relu"}, act=relu),
            _row(op, {"reverse": True}, reverse=True),
            _row(op, {"reverse": True, "sequences": True}, reverse=True, sequences=True),
            _row(op, {"states": True}, out_states=True),
            _row(op, {"states": True, "sequences": True}, out_states=True, sequences=True),
            _row(
                op,
                {"states": True, "sequences": True, "reverse": True},
                states=states,
                out_states=True,
                sequences=True,
                reverse=True,
            ),
            _row(op, {}, states=states),
            _row(op, {"sequences": True, "dropout": 0.5, "recurrent_dropout": 0.5}, states=states, sequences=True),
        )
    ),
    _row("rnn", {"activation": "linear"}, act=lambda x: x),
    _row("lstm", {"gate_activation": "hard_sigmoid"}, gate=lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    _row("lstm", {"forget_bias": False}),
    _row("gru", {"reset_after": False}, reset_after=False),
    _row("gru", {"reset_after": False, "sequences": True, "bias": False}, reset_after=False, sequences=True),
    _row("gru", {"gate_activation": "hard_sigmoid"}, gate=lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    *(
        Row("bidirectional", {"layer": {op: {"units": 4}}}, ((5, 3),), both(op, concat))
        for op in ("rnn", "lstm", "gru")
    ),
    *(
        Row(
            "bidirectional",
            {"layer": {"lstm": {"units": 4, "sequences": True}}, "merge": merge},
            ((5, 3),),
            both("lstm", function, sequences=True),
        )
        for merge, function in (
            ("concat", concat),
            ("add", np.add),
            ("multiply", np.multiply),
            ("average", lambda a, b: (a + b) / 2),
        )
    ),
    Row(
        "bidirectional",
        {"layer": {"gru": {"units": 2, "bias": False, "reset_after": False}}},
        ((1, 3),),
        both("gru", concat, reset_after=False),
    ),
]
