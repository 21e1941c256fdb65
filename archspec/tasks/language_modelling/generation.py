"""Texts that a network generates. Imports Keras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from archspec.data.example import TOKENS
from archspec.data.vocabulary import Vocabulary
from archspec.tasks.decoding import Decoder, Decoding, Limits, read
from archspec.tasks.decoding.reading import decoder

if TYPE_CHECKING:
    from archspec.training.board.events import Events
    from archspec.training.task import RunContext


def complete(
    network: Decoder, vocabulary: Vocabulary, prompt: str, decoding: Decoding, length: int, *, seed: int = 0
) -> str:
    """The prompt and what the network goes on with, ``length`` tokens. Raises DataError where the prompt is not in the
    vocabulary."""
    begun = prompt_tokens(vocabulary, prompt)
    barred = [n for n in (vocabulary.pad, vocabulary.unknown, vocabulary.start) if n is not None]
    states = read(network, np.array([begun[:-1]], np.int32))
    (chosen,) = decoding.decode(network, np.array(begun[-1:]), states, Limits(length, banned_tokens=barred), seed=seed)
    # A text that has an end is followed by another one.
    lines: list[list[int]] = [[]]
    for token in (*begun, *chosen.tolist()):
        if token == vocabulary.end:
            lines.append([])
        else:
            lines[-1].append(token)
    return "\n".join(vocabulary.decode(line) for line in lines)


def prompt_tokens(vocabulary: Vocabulary, prompt: str) -> list[int]:
    """The numbers of a prompt; where it has none, of what stands before a text."""
    found = vocabulary.encode(prompt)
    while found and found[-1] == vocabulary.end:
        found.pop()
    if found:
        return found
    special = (vocabulary.start, vocabulary.end, next(i for i in range(vocabulary.size) if vocabulary.decode([i])))
    return [next(n for n in special if n is not None)]


class Texts(keras.callbacks.Callback):
    """Writes a text of the network's own for TensorBoard after every epoch, always with the same draws."""

    def __init__(self, plan: RunContext, events: Events, prompt: str, decoding: Decoding, length: int):
        super().__init__()
        self.prompt, self.decoding, self.length = prompt, decoding, length
        self.graph, self.events = plan.graph, events
        self.vocabulary = plan.features.vocabularies[TOKENS]
        self.decoder: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        import tensorflow as tf

        if self.decoder is None:
            self.decoder = decoder(self.graph, self.model)
        self.decoder.take(self.model)
        text = complete(self.decoder, self.vocabulary, self.prompt, self.decoding, self.length)
        with self.events.at(epoch + 1):
            tf.summary.text("sample", "".join(f"    {line}\n" for line in text.split("\n")))

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.decoder = None
