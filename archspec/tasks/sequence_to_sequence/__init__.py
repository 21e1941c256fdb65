"""A sequence out of another one: translation, and whatever is like it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from archspec.data.example import Example
from archspec.data.pair import SOURCE, TARGET
from archspec.evaluators.base import Batch, Better, Evaluator
from archspec.evaluators.text import ExactMatch
from archspec.ir.graph import Graph, Output
from archspec.ir.reading import declared
from archspec.ops.loss import Loss
from archspec.tasks.decoding import Decoding, Greedy
from archspec.tasks.decoding.stepping import check_causal
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Predictor, Task, TaskError, faults
from archspec.training.vocabulary import check_vocabulary

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings

PADDING = 0
"""The number that fills sequences up."""
LOSSES = ("sparse_categorical_crossentropy", "categorical_crossentropy")


class SequenceToSequence(Task, name="sequence_to_sequence"):
    """The target of a source: the network reads ``source``, and ``target`` up to a step, and scores the next token.

    In training it reads the true target, a token for the start first (teacher forcing). Reports the cross-entropy and
    the accuracy of a token, padding left out, and, of what the network says by itself when it reads the source alone,
    ``exact_match``: the share that is the target, token by token, its end included. TensorBoard shows examples.
    """

    predicts = True

    decoding: declared(Decoding, "a decoding") = Greedy()  # type: ignore[valid-type]
    """How the network generates targets: ``greedy``, ``{beam: {width: 4, alpha: 0.6}}``, ``sample``."""
    decoded: Annotated[int, Field(ge=0)] = 1000
    """How many held-out examples, from the first, are decoded after every epoch; 0 for none."""

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        found = list(
            faults(
                lambda: _check_inputs(graph),
                lambda: _head(graph),
                lambda: _check_pairs(training),
                lambda: _check_pairs(evaluation),
            )
        )
        yield from found
        if found:
            return
        for features in (training, evaluation):
            for name in (SOURCE, TARGET):
                yield from faults(
                    partial(_check_length, graph, features, name),
                    partial(check_vocabulary, graph, name, features, name),
                    partial(_check_padding, graph, name),
                )
            yield from faults(partial(_check_target, features))
        head = _head(graph)
        spec, steps = graph.spec(head.tensor), graph.inputs[TARGET].shape[0]
        size = training.vocabularies[TARGET].size
        if spec.rank != 2 or spec.shape[0] != steps:
            yield TaskError(
                f"sequence_to_sequence needs scores at every step of the target, head '{head.name}' gives {spec}",
                at=("spec",),
                help="recurrent layers with sequences: true",
            ).of_head(head)
        elif spec.channels is None or spec.channels < size:
            yield TaskError(
                f"the vocabulary of {TARGET} has {size:,} tokens, head '{head.name}' scores {spec.channels or 0:,}",
                at=("data",),
                help=_set(graph, ("vocab", "target_vocab"), size) or "a head of as many scores",
            ).of_head(head)
        yield from faults(lambda: _check_loss(graph, head, train))
        if spec.rank == 2:
            yield from faults(lambda: check_causal(graph, TARGET))

    def measures(self, head: Output) -> Mapping[str, Better]:
        return {"accuracy": "max"}

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        from archspec.tasks.sequence_to_sequence.generation import Examples, Network
        from archspec.tasks.sequence_to_sequence.measures import MaskedLoss, TokenAccuracy

        head = _head(graph)
        kind, spec = _loss(head, train), graph.spec(head.tensor)
        is_logits, network = gets_logits(graph, head, kind), Network(graph, model)

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            target = batch[TARGET]
            return {SOURCE: batch[SOURCE], TARGET: target[:, :-1]}, target[:, 1:]

        return Objective(
            model=model,
            pairs=pairs,
            losses={
                head.name: MaskedLoss(kind.lower(from_logits=is_logits), kind.labels == "one_hot" and spec.channels)
            },
            weights={head.name: head.weight},
            metrics={head.name: [TokenAccuracy(name="accuracy")]},
            pictures=lambda plan, board: [Examples(plan, network, board.pictures, self.decoding)],
        )

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.tasks.sequence_to_sequence.generation import Generator, Network

        return Generator(graph, Network(graph, model), self.decoding, features)

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        return (ExactMatch(TARGET, self.decoded),)

    def truth(self, batch: Batch, features: Example) -> Batch:
        # The start is told, not said.
        return {TARGET: batch[TARGET][:, 1:]}

    def reads(self, graph: Graph, features: Example) -> tuple[str, ...]:
        return (SOURCE,)


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


def _check_pairs(features: Example) -> None:
    """Refuse data that are no pairs of texts."""
    if not {SOURCE, TARGET} <= set(features.vocabularies):
        raise TaskError(
            f"sequence_to_sequence needs pairs of texts, the data have {', '.join(features.parts)}",
            at=("data",),
            help="data: {text_pairs: {path: pairs.tsv}}",
        )


def _check_length(graph: Graph, features: Example, name: str) -> None:
    """Refuse sequences of another length than the network's."""
    want, have = graph.inputs[name].shape[0], features.parts[name].shape[0]
    if have is not None and name == TARGET:
        # The last token is read by nothing, the first is predicted by nothing.
        have -= 1
    if want is not None and want != have:
        raise TaskError(
            f"the network reads {want} tokens of a {name}, "
            + ("the data's differ in length" if have is None else f"the data give {have}"),
            at=("data",),
            help=_set(graph, (f"{name}_length",), have) or f"{name}_length: {want + (name == TARGET)}, in the data",
        )


def _check_padding(graph: Graph, name: str) -> None:
    """Refuse a network that takes what fills sequences up for tokens."""
    if not any(node.inputs[0].node == name and getattr(node.op, "mask_zero", False) for node in graph.nodes):
        raise TaskError(
            f"{name}s are filled up with zeros, which no layer marks as padding",
            at=("spec",),
            help="mask_zero: true, in embedding, reversible_embedding or one_hot",
        )


def _check_target(features: Example) -> None:
    """Refuse a vocabulary without what a network begins and ends with."""
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


def _loss(head: Output, train: TrainSettings) -> Loss:
    return chosen(head, train.loss, LOSSES[0])


def _check_loss(graph: Graph, head: Output, train: TrainSettings) -> None:
    kind = _loss(head, train)
    at = place(train.loss)
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
    with rules_of(head, at):
        gets_logits(graph, head, kind)
