"""What a network generates when it reads a source. Imports Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from archspec.data.example import Example
from archspec.data.pair import SOURCE, TARGET, decode_until_end
from archspec.data.vocabulary import Vocabulary
from archspec.evaluators.base import Batch
from archspec.ir.graph import Graph
from archspec.ops.loss import last_activation
from archspec.tasks.decoding import Decoding, Limits
from archspec.tasks.decoding.reading import log_probs

if TYPE_CHECKING:
    from archspec.training.board.events import Events
    from archspec.training.task import RunContext

    States = Mapping[str, np.ndarray]

AT = "at"
"""The step whose scores are wanted."""
MAX_TEXTS = 8
"""Examples in TensorBoard."""


class Network:
    """A trained network, or one in training, of a source and a target."""

    def __init__(self, graph: Graph, model: keras.Model):
        (head,) = graph.inference().outputs
        self.activation, self.length = last_activation(graph.by_name, head.tensor), graph.inputs[TARGET].shape[0]
        read = {name: keras.Input(graph.inputs[name].shape, dtype="int32", name=name) for name in (SOURCE, TARGET)}
        at = keras.Input((1,), dtype="int32", name=AT)
        # Only the scores of one step, the same for all, leave the backend.
        self.scored = keras.Model({**read, AT: at}, keras.ops.take(model(read), at[0, 0], axis=1))

    def generate(
        self, source: np.ndarray, length: int, decoding: Decoding, vocabulary: Vocabulary, *, seed: int = 0
    ) -> np.ndarray:
        """What is said of sources, int32 of shape (sources, length); the end is repeated up to the length."""
        barred = [n for n in (vocabulary.pad, vocabulary.start) if n is not None]
        decoder = PrefixDecoder(self, np.asarray(source, np.int32), length)
        first = np.full(len(source), vocabulary.start, np.int32)
        limits = Limits(length, end=vocabulary.end, banned_tokens=barred)
        return decoding.decode(decoder, first, decoder.begin(len(source)), limits, seed=seed)


@dataclass(frozen=True)
class PrefixDecoder:
    """A network that has read sources, as a decoder: they and what was said are read again with each token."""

    network: Network
    source: np.ndarray
    length: int

    def begin(self, count: int) -> States:
        said = np.zeros((count, self.length), np.int32)
        return {SOURCE: self.source, TARGET: said, AT: np.zeros((count, 1), np.int32)}

    def step(self, tokens: np.ndarray, states: States) -> tuple[np.ndarray, States]:
        said = states[TARGET].copy()
        said[:, states[AT][0, 0]] = tokens
        scores = self.network.scored.predict_on_batch({**states, TARGET: said})
        return log_probs(scores, self.network.activation), {**states, TARGET: said, AT: states[AT] + 1}


class Generator:
    """What a network says of sources, as a predictor."""

    together = 32
    cuts = False

    def __init__(self, graph: Graph, network: Network, decoding: Decoding, features: Example):
        self.length, self.network, self.decoding = graph.inputs[TARGET].shape[0], network, decoding
        self.vocabulary = features.vocabularies[TARGET]

    def __call__(self, batch: Batch) -> dict[str, Any]:
        source = np.asarray(batch[SOURCE])
        # As far as the truth goes, where there is one.
        own = batch[TARGET].shape[1] - 1 if TARGET in batch else self.length
        length = own or 2 * source.shape[1] + 10
        return {TARGET: self.network.generate(source, length, self.decoding, self.vocabulary)}

    def records(
        self, said: Batch, features: Example, top: int, lengths: Sequence[int] | None = None
    ) -> list[dict[str, Any]]:
        return [{"said": decode_until_end(self.vocabulary, row)} for row in said[TARGET]]

    def line(self, example: str, record: Mapping[str, Any]) -> str:
        return str(record["said"])


class Examples(keras.callbacks.Callback):
    """Writes what the network says of the first held-out sources for TensorBoard, after every epoch."""

    def __init__(self, plan: RunContext, network: Network, events: Events, decoding: Decoding):
        super().__init__()
        self.decoding, self.plan, self.network, self.events = decoding, plan, network, events
        self.source: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        import tensorflow as tf

        split = self.plan.split or next(iter(self.plan.features.splits))
        if self.source is None:
            index = range(min(MAX_TEXTS, self.plan.features.splits[split]))
            found = self.plan.pipeline.examples_at(index, 0, self.plan.pipeline.eval_transforms, split)
            self.source, self.target = found[SOURCE], found[TARGET][:, 1:]
        vocabularies, length = self.plan.features.vocabularies, self.target.shape[1]
        said = self.network.generate(self.source, length, self.decoding, vocabularies[TARGET])
        rows = [
            (
                vocabularies[SOURCE].decode(a),
                decode_until_end(vocabularies[TARGET], b),
                decode_until_end(vocabularies[TARGET], c),
            )
            for a, b, c in zip(self.source, self.target, said, strict=True)
        ]
        table = ["| source | target | said |", "|---|---|---|", *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]
        with self.events.at(epoch + 1):
            tf.summary.text("examples", "\n".join(table))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
