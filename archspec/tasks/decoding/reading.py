"""Networks as decoders: those that remember read on, others read everything again. Imports Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.backend.build import compile
from archspec.ir.graph import Graph
from archspec.ops.loss import last_activation, number
from archspec.tasks.decoding.stepping import IncrementalGraph, incremental

if TYPE_CHECKING:
    import keras

    from archspec.ops.base import Op
    from archspec.tasks.decoding import Decoder

    States = Mapping[str, np.ndarray]

STRIDE = 32
"""Lengths, where they are open, are rounded up to a multiple of this: TensorFlow compiles for each."""


def decoder(graph: Graph, model: keras.Model) -> Decoder:
    """A language model, of one input and one head, as a decoder with the weights that it has now."""
    stepping = incremental(graph)
    return RecomputingDecoder(graph, model) if stepping is None else StatefulDecoder(stepping, model)


class StatefulDecoder:
    """Reads a token with what the layers remember. Only the states travel, however long the sequence."""

    def __init__(self, stepping: IncrementalGraph, model: keras.Model):
        self.stepping, self.model = stepping, compile(stepping.graph)
        self.activation = last_activation(stepping.graph.by_name, stepping.graph.outputs[0].tensor)
        self.take(model)

    def take(self, model: keras.Model) -> None:
        """Take the weights of the network that reads whole sequences."""
        for layer in self.model.layers:
            if layer.weights:
                layer.set_weights(model.get_layer(layer.name).get_weights())

    def begin(self, count: int) -> States:
        return {name: np.zeros((count, units), np.float32) for name, units in self.stepping.states.items()}

    def step(self, tokens: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        read = np.asarray(tokens, np.int32)[:, None]
        out = self.model.predict_on_batch({self.stepping.tokens: read, **states} if states else read)
        scores = out[self.stepping.head] if states else out
        return log_probs(scores[:, 0], self.activation), {name: out[name] for name in states}


class RecomputingDecoder:
    """Reads all that was read once more with each token; of a network for sequences of one length, the last so many."""

    def __init__(self, graph: Graph, model: keras.Model):
        graph = graph.inference()
        self.model, head = model, graph.outputs[0]
        self.length = next(iter(graph.inputs.values())).shape[0]
        self.head, self.activation = head.name, last_activation(graph.by_name, head.tensor)

    def take(self, model: keras.Model) -> None:
        """Take the weights of a network; it is read itself."""
        self.model = model

    def begin(self, count: int) -> States:
        return {"read": np.zeros((count, 0), np.int32)}

    def step(self, tokens: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        read = np.concatenate([states["read"], np.asarray(tokens, np.int32)[:, None]], 1)
        read = read if self.length is None else read[:, -self.length :]
        length = self.length or -(-read.shape[1] // STRIDE) * STRIDE
        # What stands behind is not seen by what comes before.
        padded = np.pad(read, ((0, 0), (0, length - read.shape[1])))
        out: Any = self.model.predict_on_batch(padded)
        scores = out[self.head] if isinstance(out, dict) else out
        return log_probs(scores[:, read.shape[1] - 1], self.activation), {"read": read}


def log_probs(scores: np.ndarray, activation: Op | None) -> np.ndarray:
    """Logarithms of probabilities, float64, of what a head gives after an activation (None for logits)."""
    scores = np.asarray(scores, np.float64)
    if number(activation) == "log_distribution":
        return scores
    if number(activation) == "distribution":
        with np.errstate(divide="ignore"):
            known: np.ndarray = np.log(scores)
        return known
    highest = scores.max(-1, keepdims=True)
    total: np.ndarray = np.log(np.exp(scores - highest).sum(-1, keepdims=True))
    shares: np.ndarray = scores - highest - total
    return shares
