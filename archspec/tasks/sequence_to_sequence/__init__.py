"""A sequence out of another one: translation, and whatever is like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.errors import DataError
from archspec.data.pair import SOURCE, TARGET, spoken
from archspec.data.source import FeatureSpec
from archspec.ir.diagnostics import Note, shown
from archspec.ir.graph import Graph, Output
from archspec.ir.reading import declared
from archspec.ops.base import OpError
from archspec.ops.loss import Loss, last_activation
from archspec.tasks.decoding import Decoding, Greedy
from archspec.tasks.decoding.stepping import check_causal
from archspec.training.task import Objective, Task, TaskError
from archspec.training.vocabulary import check_vocabulary

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings

PADDING = 0
"""The number that fills sequences up."""
TOGETHER = 32
"""Texts that are read at a time."""
LOSSES = ("sparse_categorical_crossentropy", "categorical_crossentropy")


class SequenceToSequence(Task, name="sequence_to_sequence"):
    """The target of a source: the network reads ``source``, and ``target`` up to a step, and scores the next token.

    In training it reads the true target, a token for the start first (teacher forcing). Reports the cross-entropy and
    the accuracy of a token, padding left out, and, of what the network says by itself when it reads the source alone,
    ``exact_match``: the share that is the target, token by token, its end included. TensorBoard shows examples.
    """

    decoding: declared(Decoding, "a decoding") = Greedy()  # type: ignore[valid-type]
    """How the network says something by itself: ``greedy``, ``{beam: {width: 4, alpha: 0.6}}``, ``sample``."""
    decoded: Annotated[int, Field(ge=0)] = 1000
    """Of how many held-out examples, the first, it is told after every epoch; 0 leaves it out."""

    def check(self, graph: Graph, training: FeatureSpec, evaluation: FeatureSpec, train: TrainSettings) -> None:
        _check_inputs(graph)
        for features in (training, evaluation):
            _check_data(graph, features)
        head = _head(graph)
        notes = (Note(f"head '{head.name}'", head.span),) if head.span else ()
        spec, steps = graph.spec(head.tensor), graph.inputs[TARGET].shape[0]
        if spec.rank != 2 or spec.shape[0] != steps:
            raise TaskError(
                f"sequence_to_sequence needs scores at every step of the target, head '{head.name}' gives {spec}",
                at=("spec",),
                help="recurrent layers with sequences: true",
                notes=notes,
            )
        size = training.vocabularies[TARGET].size
        if spec.channels is None or spec.channels < size:
            raise TaskError(
                f"the vocabulary of {TARGET} has {size:,} tokens, head '{head.name}' scores {spec.channels or 0:,}",
                at=("data",),
                help=_set(graph, ("vocab", "target_vocab"), size) or "a head of as many scores",
                notes=notes,
            )
        _check_loss(graph, head, train)
        check_causal(graph, TARGET)

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings) -> Objective:
        from archspec.tasks.sequence_to_sequence.generation import Examples, Network, exact_match
        from archspec.tasks.sequence_to_sequence.measures import TokenAccuracy, Unpadded

        head = _head(graph)
        kind, spec = _loss(head, train), graph.spec(head.tensor)
        is_logits, network = kind.gets_logits(last_activation(graph.by_name, head.tensor)), Network(graph, model)

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            target = batch[TARGET]
            return {SOURCE: batch[SOURCE], TARGET: target[:, :-1]}, target[:, 1:]

        return Objective(
            model=model,
            pairs=pairs,
            losses={head.name: Unpadded(kind.lower(from_logits=is_logits), kind.labels == "one_hot" and spec.channels)},
            metrics={head.name: [TokenAccuracy(name="accuracy")]},
            figures=lambda plan, held_out: exact_match(
                network, held_out, plan.features.vocabularies[TARGET], self.decoding, self.decoded
            ),
            pictures=lambda plan, logdir: [Examples(plan, network, logdir, self.decoding)],
        )

    def answers(self, graph: Graph, model: keras.Model, features: FeatureSpec, texts: Sequence[str]) -> list[str]:
        """What a trained network says of texts. Raises DataError for one that it cannot read."""
        from archspec.data.text import padded
        from archspec.tasks.sequence_to_sequence.generation import Network

        graph, vocabularies = graph.inference(), features.vocabularies
        reads, says = graph.inputs[SOURCE].shape[0], graph.inputs[TARGET].shape[0]
        rows = [vocabularies[SOURCE].encode(text) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if reads is not None and len(row) > reads:
                raise DataError(f"{shown(text, 40)} has {len(row)} tokens, the network reads {reads}")
        network, out = Network(graph, model), list[str]()
        for first in range(0, len(rows), TOGETHER):
            source = padded(rows[first : first + TOGETHER], reads)
            found = network.generate(source, says or 2 * source.shape[1] + 10, self.decoding, vocabularies[TARGET])
            out += [spoken(vocabularies[TARGET], said) for said in found]
        return out


def _check_inputs(graph: Graph) -> None:
    """Refuse a network that does not read a source and a target."""
    if graph.training or sorted(graph.inputs) != sorted((SOURCE, TARGET)):
        raise TaskError(
            f"sequence_to_sequence needs a network of two inputs, {SOURCE} and {TARGET}; '{graph.name}' has "
            f"{', '.join(graph.inputs) or 'others'}",
            at=("spec",),
            help=f"inputs: {{{SOURCE}: {{shape: [20], dtype: int32}}, {TARGET}: {{shape: [20], dtype: int32}}}}",
        )
    for name, spec in graph.inputs.items():
        if spec.rank != 1 or "int" not in spec.dtype:
            raise TaskError(
                f"sequence_to_sequence needs inputs of tokens, '{name}' is {spec} of {spec.dtype}",
                at=("spec",),
                help=f"inputs: {{{name}: {{shape: [20], dtype: int32}}}}",
            )


def _check_data(graph: Graph, features: FeatureSpec) -> None:
    """Refuse data that are no pairs, of other lengths, or of more tokens than the network knows."""
    for name in (SOURCE, TARGET):
        if name not in features.vocabularies:
            raise TaskError(
                f"sequence_to_sequence needs pairs of texts, the data have {', '.join(features.parts)}",
                at=("data",),
                help="data: {text_pairs: {path: pairs.tsv}}",
            )
        want, have = graph.inputs[name].shape[0], features.parts[name].shape[0]
        if have is not None and name == TARGET:
            # The last token is read by nothing, the first is predicted by nothing.
            have -= 1
        if want is not None and want != have:
            raise TaskError(
                f"the network reads {want} tokens of a {name}, "
                + ("the data's differ in length" if have is None else f"it would get {have}"),
                at=("data",),
                help=_set(graph, (f"{name}_length",), have) or f"{name}_length: {want + (name == TARGET)}, in the data",
            )
        check_vocabulary(graph, name, features, name)
        if not any(node.inputs[0].node == name and getattr(node.op, "mask_zero", False) for node in graph.nodes):
            raise TaskError(
                f"{name}s are filled up with zeros, which no layer marks as padding",
                at=("spec",),
                help="mask_zero: true, in embedding, reversible_embedding or one_hot",
            )
    target = features.vocabularies[TARGET]
    if target.pad != PADDING or target.start is None or target.end is None:
        raise TaskError(
            f"the vocabulary of {TARGET} needs tokens for padding (number 0), the start and the end",
            at=("data",),
            help="a tokenizer with pad, start and end: true",
        )


def _set(graph: Graph, names: tuple[str, ...], value: int | None) -> str | None:
    """What to type, where the spec has such a parameter."""
    return next((f"--set {name}={value}" for name in names if name in graph.params and value is not None), None)


def _head(graph: Graph) -> Output:
    heads = [output for output in graph.outputs if not output.train_only]
    if len(graph.outputs) != 1 or not heads:
        raise TaskError(f"sequence_to_sequence has one head, '{graph.name}' has {len(graph.outputs)}", at=("spec",))
    return heads[0]


def _loss(head: Output, train: TrainSettings) -> Any:
    """The loss: the run's, else the spec's, else the cross-entropy."""
    if found := train.loss or head.loss:
        return found
    kind = Loss.find(LOSSES[0])
    assert kind is not None
    return kind()


def _check_loss(graph: Graph, head: Output, train: TrainSettings) -> None:
    kind = _loss(head, train)
    at = ("train", "loss") if train.loss else ("spec",)
    if kind.name not in LOSSES:
        raise TaskError(
            f"sequence_to_sequence compares scores with the number of a token, {kind.name} does not",
            at=at,
            help=f"{LOSSES[0]}, or {LOSSES[1]} for label_smoothing",
        )
    if head.metrics:
        raise TaskError(
            f"sequence_to_sequence reports accuracy and exact_match, head '{head.name}' asks for "
            f"{', '.join(metric.name for metric in head.metrics)}",
            at=("spec",),
            help="leave metrics out",
        )
    try:
        kind.gets_logits(last_activation(graph.by_name, head.tensor))
    except OpError as error:
        raise TaskError(f"head '{head.name}': {error.message}", at=at, help=error.help) from None
