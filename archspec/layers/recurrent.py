"""Recurrent layers whose states are inputs, and whose outputs stand where their steps do when read backwards."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


def recurrent(kind: str, *, own_states: bool, **config: Any) -> keras.Layer:
    """``rnn``, ``lstm`` or ``gru``: Keras's own layer where that does the same, else a subclass of it."""
    plain, own = {
        "rnn": (keras.layers.SimpleRNN, ElmanNetwork),
        "lstm": (keras.layers.LSTM, LongShortTermMemory),
        "gru": (keras.layers.GRU, GatedRecurrentUnit),
    }[kind]
    reversed_outputs = config["go_backwards"] and config["return_sequences"]
    return (own if own_states or reversed_outputs else plain)(**config)


class _Recurrent:
    """Stands in front of a Keras layer. Its states are inputs of their own, after the sequences.

    Keras's own layers get no mask when states are inputs: a decoder would read its padding.
    """

    # Set by the Keras layer behind.
    go_backwards: bool
    return_sequences: bool
    return_state: bool

    def build(self, sequences_shape: Shape, state_shape: Shape | None = None, cell_shape: Shape | None = None) -> None:
        super().build(sequences_shape)  # type: ignore[misc]

    def call(
        self,
        sequences: Tensor,
        state: Tensor | None = None,
        cell: Tensor | None = None,
        mask: Tensor | None = None,
        sequences_mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        # Keras fills ``mask`` where there is one input, ``sequences_mask`` where there are more.
        mask = sequences_mask if mask is None else mask
        states = [s for s in (state, cell) if s is not None] or None
        out = super().call(sequences, initial_state=states, mask=mask, training=training)  # type: ignore[misc]
        if not (self.go_backwards and self.return_sequences):
            return out
        if self.return_state:
            return (ops.flip(out[0], axis=1), *out[1:])
        return ops.flip(out, axis=1)

    def compute_output_shape(
        self, sequences_shape: Shape, state_shape: Shape | None = None, cell_shape: Shape | None = None
    ) -> Shape:
        return tuple(super().compute_output_shape(sequences_shape))  # type: ignore[misc]


@register
class ElmanNetwork(_Recurrent, keras.layers.SimpleRNN):
    """SimpleRNN called on (sequences, state); read backwards, its outputs stand where their steps do."""


@register
class LongShortTermMemory(_Recurrent, keras.layers.LSTM):
    """LSTM called on (sequences, state, cell); read backwards, its outputs stand where their steps do."""


@register
class GatedRecurrentUnit(_Recurrent, keras.layers.GRU):
    """GRU called on (sequences, state); read backwards, its outputs stand where their steps do."""
