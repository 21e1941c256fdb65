"""Layers of sequences as steps: recurrent ones, attention, embeddings and wrappers of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from archspec.backend.importers.keras_arguments import (
    LayerPart,
    Step,
    UnsaidLayer,
    activation,
    alike,
    of_part,
    one,
    said,
)
from archspec.backend.importers.keras_calls import LayerCall

Config = Mapping[str, Any]
RECURRENT = {
    "LSTM": "lstm",
    "GRU": "gru",
    "SimpleRNN": "rnn",
    "LongShortTermMemory": "lstm",
    "GatedRecurrentUnit": "gru",
    "ElmanNetwork": "rnn",
}
"""Keras's classes, and archspec's own with their arguments → ops."""
MERGED = {"concat": "concat", "sum": "add", "mul": "multiply", "ave": "average"}


def recurrent(kind: str, config: Config) -> Step:
    """The step of a recurrent layer, its states left aside. Raises UnsaidLayer."""
    if config.get("stateful"):
        raise UnsaidLayer("it keeps its state from batch to batch")
    reverse, sequences = bool(config.get("go_backwards")), bool(config.get("return_sequences"))
    if reverse and sequences and kind in ("LSTM", "GRU", "SimpleRNN"):
        raise UnsaidLayer("its outputs are in the order of reading; an op gives them where their steps are")
    args = {
        "units": config["units"],
        "sequences": sequences,
        "activation": activation(config.get("activation")) or "linear",
        "gate_activation": (activation(config["recurrent_activation"]) or "linear")
        if "recurrent_activation" in config
        else None,
        "bias": config.get("use_bias", True),
        "forget_bias": config.get("unit_forget_bias", True),
        "reset_after": config.get("reset_after", True),
        "reverse": reverse,
        "states": bool(config.get("return_state")),
        "dropout": float(config.get("dropout") or 0),
        "recurrent_dropout": float(config.get("recurrent_dropout") or 0),
    }
    op = RECURRENT[kind]
    if op != "lstm":
        del args["forget_bias"]
    if op != "gru":
        del args["reset_after"]
    if args["gate_activation"] is None:
        del args["gate_activation"]
    return said(op, args)


def _alike(config: Config) -> Config:
    """What layers of two directions share: without their names, and without numbers of objects, which files have."""
    left = ("name", "go_backwards", "shared_object_id")
    return {k: _alike(v) if isinstance(v, dict) else v for k, v in config.items() if k not in left}


def _bidirectional(config: Config, call: LayerCall) -> list[LayerPart]:
    layer, behind = config["layer"], config.get("backward_layer")
    kind = layer["class_name"]
    if kind not in RECURRENT or config.get("merge_mode") not in MERGED:
        raise UnsaidLayer("it gives both directions by themselves, or of another layer than LSTM, GRU and SimpleRNN")
    own = _alike(layer["config"])
    if behind is not None and own != _alike(behind["config"]):
        raise UnsaidLayer("its two directions are not alike")
    if layer["config"].get("go_backwards") or own.get("return_state") or len(call.operands) > 1:
        raise UnsaidLayer("its first direction reads backwards, or states go in or out")
    step = recurrent(kind, own)
    return one(said("bidirectional", {"layer": step, "merge": MERGED[config["merge_mode"]]}), (0,))


def _multi_head(config: Config, call: LayerCall) -> list[LayerPart]:
    axes = config.get("attention_axes")
    if (axes is not None and [*(axes if isinstance(axes, (list, tuple)) else [axes])] != [1]) or config.get("use_gate"):
        raise UnsaidLayer("it attends over other axes than the steps, or has a gate")
    if config.get("sliding_window") or config.get("flash_attention"):
        raise UnsaidLayer("it attends within a window, or by a kernel of its own")
    size = config.get("output_shape")
    if size is not None and not isinstance(alike(size), int):
        raise UnsaidLayer("its outputs have several axes")
    args = {
        "heads": config["num_heads"],
        "key_dim": config["key_dim"],
        "value_dim": config.get("value_dim") if config.get("value_dim") != config["key_dim"] else None,
        "dim_out": None if size is None else alike(size),
        "bias": config.get("use_bias", True),
        "causal": bool(call.kwargs.get("use_causal_mask")),
        "dropout": float(config.get("dropout") or 0),
    }
    return one(said("attention", args), attended(call))


def attended(call: LayerCall) -> tuple[int, ...]:
    """Query, value and key by position, without those that are what an op takes when they are left out."""
    query, value, *key = call.operands if len(call.operands) > 1 else (*call.operands, call.operands[0])
    if key and key[0] != value:
        return (0, 1, 2)
    return (0,) if value == query else (0, 1)


def _attention(config: Config, call: LayerCall) -> list[LayerPart]:
    if config.get("use_scale") or config.get("score_mode", "dot") != "dot" or config.get("dropout"):
        raise UnsaidLayer("it scales scores by a weight, adds in place of multiplying, or drops some")
    key = 2 if len(call.operands) > 2 else 1
    return [
        LayerPart({"matmul": {"transpose_b": True}}, (0, key)),
        LayerPart({"softmax": None}, (of_part(0),)),
        LayerPart({"matmul": None}, (of_part(1), 1)),
    ]


def _additive(config: Config, call: LayerCall) -> list[LayerPart]:
    args = {"scale": config.get("use_scale", True), "dropout": float(config.get("dropout") or 0)}
    return one(said("additive_attention", args), range(len(call.operands)))


def _recurrent(config: Config, call: LayerCall) -> list[LayerPart]:
    return one(recurrent(call.kind, config), range(len(call.operands)))


def _embedding(config: Config, call: LayerCall) -> list[LayerPart]:
    args = {"vocab": config["input_dim"], "dim": config["output_dim"], "mask_zero": bool(config.get("mask_zero"))}
    args["trainable"] = config.get("trainable", True)
    return one(said("embedding", args), (0,))


def _dot(config: Config, call: LayerCall) -> list[LayerPart]:
    axes = config["axes"]
    if {*(axes if isinstance(axes, (list, tuple)) else [axes])} - {1, -1}:
        raise UnsaidLayer("dot is of two vectors; of matrices it is matmul")
    if not config.get("normalize"):
        return one({"dot": None}, (0, 1))
    unit = [LayerPart({"l2_normalize": None}, (k,)) for k in (0, 1)]
    return [*unit, LayerPart({"dot": None}, (of_part(0), of_part(1)))]


def _masking(config: Config, call: LayerCall) -> list[LayerPart]:
    return one(said("mask", {"value": float(config.get("mask_value", 0))}), (0,))


RULES: Mapping[str, Callable[[Config, LayerCall], list[LayerPart]]] = {
    **dict.fromkeys(RECURRENT, _recurrent),
    "Bidirectional": _bidirectional,
    "MultiHeadAttention": _multi_head,
    "Attention": _attention,
    "AdditiveAttention": _additive,
    "Embedding": _embedding,
    "Dot": _dot,
    "Masking": _masking,
    "RepeatVector": lambda config, call: one({"repeat_vector": config["n"]}, (0,)),
}
"""Class of ``keras.layers`` → the rule that makes its steps."""
INITIAL_STATE = "initial_state"
"""The argument of a recurrent layer's call by which it gets states."""
STEPWISE = ("Dense", "Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Dropout", "LayerNormalization")
"""Layers that compute along the last axis, so that TimeDistributed adds nothing to them."""
