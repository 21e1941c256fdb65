"""What comes next: each token of a text from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.example import LABEL, TOKENS, Example
from archspec.data.vocabulary import Vocabulary
from archspec.evaluators.base import Better
from archspec.ir.diagnostics import Note, shown
from archspec.ir.graph import Graph, Node, Output
from archspec.ir.reading import declared
from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.tasks.decoding import Decoding, Sample
from archspec.tasks.decoding.stepping import check_causal
from archspec.training.inputs import only_head, only_input
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Task, TaskError, Wanted, faults
from archspec.training.vocabulary import check_vocabulary

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


class LanguageModelling(Task, name="language_modelling"):
    """Scores of the next token at every position, softmax or logits, from the tokens before it.

    The network reads what is true, not what it said (teacher forcing). Reports nats and bits per token, and perplexity,
    which is e to the power of the nats; padding does not count. TensorBoard shows a text of the network's own after
    every epoch.
    """

    sample_options = ("prompt", "decoding")

    prompt: str | None = None
    """What that text begins with; by default a line break, or the first token of a vocabulary without one."""
    length: PositiveInt = 400
    """Tokens of it."""
    decoding: declared(Decoding, "a decoding") = Sample()  # type: ignore[valid-type]
    """How they are chosen: ``greedy``, ``{sample: {temperature: 0.8, top_k: 40, top_p: 0.95}}``."""

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        found = list(faults(lambda: _input(graph), lambda: _head(graph), lambda: _vocabulary(training)))
        yield from found
        if found:
            return
        (name, wanted), head, vocabulary = _input(graph), _head(graph), _vocabulary(training)
        for features in (training, evaluation):
            yield from faults(
                partial(_check_length, graph, wanted, features),
                partial(check_vocabulary, graph, name, features, TOKENS),
            )
        yield from faults(lambda: _check_padding(graph, name, training))
        spec = graph.spec(head.tensor)
        if spec.rank != 2 or spec.shape[0] != wanted.shape[0]:
            yield TaskError(
                f"language modelling needs scores at every position, (time, tokens), head '{head.name}' gives {spec}",
                at=("spec",),
                help="recurrent layers with sequences: true",
            ).of_head(head)
        elif spec.channels != vocabulary.size:
            yield TaskError(
                f"the vocabulary has {vocabulary.size:,} tokens, head '{head.name}' scores {spec.channels:,}",
                at=("data",),
                help=f"--set vocab={vocabulary.size}" if "vocab" in graph.params else "a head of as many scores",
            ).of_head(head)
        yield from faults(lambda: _check_loss(graph, head, train))
        if spec.rank == 2:
            yield from faults(lambda: check_causal(graph, name))
        try:
            vocabulary.encode(self._begun(vocabulary))
        except DataError as error:
            yield TaskError(f"the prompt: {error.message}", at=("train", "task", self.name, "prompt"))

    def measures(self, head: Output) -> Mapping[str, Better]:
        return {
            "nats": "min",
            "bits": "min",
            "perplexity": "min",
            **{metric.label: metric.better for metric in head.metrics},
        }

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        from archspec.tasks.language_modelling.generation import Texts
        from archspec.tasks.language_modelling.metrics import Bits, Nats, Perplexity

        head = _head(graph)
        kind, spec = _loss(head, train), graph.spec(head.tensor)
        is_logits = gets_logits(graph, head, kind)
        pad = PADDING if next(_masks(graph, _input(graph)[0]), None) else None
        if kind.ignore_class is None:
            kind = kind.model_copy(update={"ignore_class": pad})

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            tokens = batch[TOKENS]
            return tokens[:, :-1], tokens[:, 1:]

        measures = [made(kind.ignore_class, from_logits=is_logits) for made in (Nats, Bits, Perplexity)]
        measures += [metric.lower(spec, kind.labels, is_logits) for metric in head.metrics]
        return Objective(
            model=model,
            pairs=pairs,
            losses={head.name: kind.lower(from_logits=is_logits)},
            weights={head.name: head.weight},
            metrics={head.name: measures},
            pictures=lambda plan, board: [
                Texts(plan, board.pictures, self._begun(plan.features.vocabularies[TOKENS]), self.decoding, self.length)
            ],
        )

    def check_sample(self, graph: Graph, wanted: Wanted) -> TensorSpec | None:
        _input(graph), _head(graph)
        vocabulary = _vocabulary(wanted.features())
        size = graph.spec(_head(graph).tensor).channels
        if size != vocabulary.size:
            raise TaskError(f"the vocabulary has {vocabulary.size:,} tokens, the network scores {size:,}", at=())
        vocabulary.encode(self._begun(vocabulary, wanted))
        return None

    def sample(self, graph: Graph, model: keras.Model, wanted: Wanted) -> str:
        from archspec.tasks.decoding.reading import decoder
        from archspec.tasks.language_modelling.generation import complete

        decoding = wanted.options.get("decoding", self.decoding)
        vocabulary, length = _vocabulary(wanted.features()), wanted.count or self.length
        prompt = self._begun(vocabulary, wanted)
        return complete(decoder(graph, model), vocabulary, prompt, decoding, length, seed=wanted.seed)

    def _begun(self, vocabulary: Vocabulary, wanted: Wanted | None = None) -> str:
        """What a text begins with: as it is asked for, else as the run has it."""
        prompt: str | None = wanted.options.get("prompt", self.prompt) if wanted else self.prompt
        if prompt is not None:
            return prompt
        try:
            vocabulary.encode("\n")
        except DataError:
            return ""
        return "\n"


PADDING = 0
"""The number that fills shorter texts up."""


def _input(graph: Graph) -> tuple[str, TensorSpec]:
    """The name of the only input, and what it takes. Raises TaskError."""
    name, spec = only_input(graph, "language_modelling")
    if spec.rank != 1 or "int" not in spec.dtype:
        raise TaskError(
            f"language modelling needs an input of tokens, '{name}' is {spec} of {spec.dtype}",
            at=("spec",),
            help="inputs: {tokens: {shape: [64], dtype: int32}}",
        )
    return name, spec


def _head(graph: Graph) -> Output:
    return only_head(graph, "language_modelling")


def _vocabulary(features: Example) -> Vocabulary:
    if TOKENS not in features.vocabularies:
        raise TaskError(
            f"language modelling needs text, the data have {', '.join(features.parts)}",
            at=("data",),
            help="data: {corpus: {path: input.txt, window: 64}}",
        )
    return features.vocabularies[TOKENS]


def _check_length(graph: Graph, wanted: TensorSpec, features: Example) -> None:
    """Refuse examples that are not one token longer than what the network reads."""
    want, have = wanted.shape[0], features.parts[TOKENS].shape[0]
    if want is None or (have is not None and want == have - 1):
        return
    if have is None:
        raise TaskError(
            f"the network reads {want} tokens at a time, the examples differ in length",
            at=("data",),
            help=f"length: {want + 1}, in the data",
        )
    known = f"--set length={have - 1}, or " if "length" in graph.params else ""
    raise TaskError(
        f"the network reads {want} tokens at a time, the examples have {have - 1} and the next one",
        at=("data",),
        help=f"{known}window: {want}, in the data",
    )


def _check_padding(graph: Graph, name: str, features: Example) -> None:
    """Padding must be marked as such by the network, and nothing else."""
    vocabulary, masks = features.vocabularies[TOKENS], next(_masks(graph, name), None)
    # Texts of one length, which have labels, were filled up too.
    is_filled = TOKENS in features.padded or (vocabulary.pad is not None and LABEL in features.parts)
    if masks is None and is_filled:
        raise TaskError(
            "the examples are filled up with zeros, which no layer marks as padding",
            at=("spec",),
            help="mask_zero: true, in embedding or one_hot",
        )
    if masks is not None and vocabulary.pad is None:
        raise TaskError(
            f"'{masks.name}' takes number 0 for padding, in the data it is {shown(vocabulary.tokens[PADDING])}",
            at=("data",),
            help="mask_zero: false, or a tokenizer with pad: true",
            notes=(Note(f"layer '{masks.name}'", masks.span),),
        )


def _masks(graph: Graph, name: str) -> Iterator[Node]:
    """Layers that mark zeros of the input as padding."""
    return (n for n in graph.nodes if n.inputs and n.inputs[0].node == name and getattr(n.op, "mask_zero", False))


def _loss(head: Output, train: TrainSettings) -> Any:
    return chosen(head, train.loss, "sparse_categorical_crossentropy")


def _check_loss(graph: Graph, head: Output, train: TrainSettings) -> None:
    kind, spec = _loss(head, train), graph.spec(head.tensor)
    at = place(train.loss)
    if kind.name != "sparse_categorical_crossentropy":
        raise TaskError(
            f"language modelling compares scores with the number of a token, {kind.name} does not",
            at=at,
            help="sparse_categorical_crossentropy",
        )
    with rules_of(head, at):
        gets_logits(graph, head, kind)
        for metric in head.metrics:
            metric.check(spec, kind.labels)
