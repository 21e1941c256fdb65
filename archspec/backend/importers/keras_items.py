"""Calls of layers for every item of the first axis, which Keras says by layers around them."""

from __future__ import annotations

from dataclasses import replace

from archspec.backend.importers.keras_calls import (
    Calls,
    LayerCall,
    LayerOutput,
    in_place_of,
    is_model,
    module_of,
    of_model,
    renamed,
)
from archspec.backend.importers.keras_sequences import STEPWISE
from archspec.backend.wiring import WeightsError


def with_items(model: Calls) -> Calls:
    """The same without ``TimeDistributed``, and without what folds items into the batch and back: ``each`` of the calls
    within says how often they are done for every item. Raises WeightsError."""
    known: dict[LayerOutput, LayerOutput] = {}
    folded: dict[LayerOutput, LayerOutput] = {}
    calls: list[LayerCall] = []
    for call in model.calls:
        call = renamed(call, lambda at: known.get(at, at))
        own = LayerOutput(call.layer, call.turn)
        is_own = call.module.partition(".")[0] == "archspec"
        if is_own and call.kind == "FoldItems":
            if call.config.get("repeats"):
                raise WeightsError(f"layer {call.layer!r} gives every item the same, which no step says yet")
            (folded[own],) = call.operands
        elif is_own and call.kind == "UnfoldItems":
            (known[own],) = call.operands
        elif call.kind == "TimeDistributed":
            inner = _distributed(call, model.version)
            calls += inner.calls
            known.update((replace(own, port=port), at) for port, at in enumerate(inner.outputs))
        else:
            while any(at in folded for at in call.operands):
                call = replace(renamed(call, lambda at: folded.get(at, at)), each=call.each + 1)
            calls.append(call)
    return replace(model, calls=tuple(calls), outputs=tuple(known.get(at, at) for at in model.outputs))


def _distributed(call: LayerCall, version: str) -> Calls:
    """The calls that a call of ``TimeDistributed`` is, and what they give. Raises WeightsError."""
    layer = call.config["layer"]
    kind, config = layer["class_name"], layer["config"]
    within = replace(call, kind=kind, module=module_of(layer), config=config)
    if not is_model(config):
        each = call.each + (kind not in STEPWISE)
        one = Calls((), (replace(within, each=each),), (LayerOutput(call.layer, call.turn),), (), ())
        return with_items(one)
    inner = of_model(config, version)
    if inner is None:
        raise WeightsError(f"layer {call.layer!r} is called for every step, and its wiring is not known")
    inner = with_items(in_place_of(within, inner))
    return replace(inner, calls=tuple(replace(c, each=c.each + call.each + 1) for c in inner.calls))
