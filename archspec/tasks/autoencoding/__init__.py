"""An example out of itself, through a narrow place, or out of a spoilt copy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from archspec.backend.installation import backend
from archspec.data.arguments import Items
from archspec.data.example import IMAGE, LABEL, Example, input_of
from archspec.data.pipeline import transformed
from archspec.data.transform import Transform, TransformError, infer
from archspec.evaluators.base import Batch, Better, Evaluator
from archspec.evaluators.reconstruction import Reconstruction
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.ir.graph import Graph, Output
from archspec.ir.reading import declared
from archspec.ir.tensors import TensorSpec
from archspec.ops.loss import Loss, last_activation
from archspec.training.inputs import input_faults, only_head, only_input, usual_augment
from archspec.training.latents import amounts
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Predictor, Samples, Task, TaskError, Wanted, darkest, faults

if TYPE_CHECKING:
    import keras

    from archspec.training.settings import TrainSettings


class Autoencoding(Task, name="autoencoding"):
    """A network against its own input: a head of the input's shape. Reports mean squared and absolute errors.

    TensorBoard shows what was read, made, and to be made. Labels, where the data have any, are not looked at.
    """

    predicts = True
    sample_options = ("result", "interpolate")

    corrupt: Items[declared(Transform, "a transform")] = ()  # type: ignore[valid-type]
    """Transforms of what the network reads and not of what it is to make (a denoising autoencoder), in training and in
    evaluations: ``[cutout: 3]``, ``[blur: 2]``. What is random is drawn anew for every epoch."""
    latent: str = "latent"
    """The layer that ``archspec sample`` puts draws of the standard normal distribution in the place of."""

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Images brought to the network's size and, where they are 8-bit and it takes floats, to 0 … 1."""
        return usual_augment(graph, features)

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        found = list(faults(lambda: _head(graph)))
        yield from found
        yield from self._unfit(training)
        if found:
            return
        head = _head(graph)
        yield from input_faults(graph, training, evaluation)
        for error in faults(partial(_check_shape, graph, head), partial(_check_loss, graph, head, train)):
            yield error.of_head(head)

    def _unfit(self, features: Example) -> Iterator[TaskError]:
        """Transforms that do not spoil an example, but make another of it."""
        at = ("train", "task", self.name, "corrupt")
        if self.corrupt and IMAGE not in features.parts:
            yield TaskError("corrupt is for images", at=at, help="dropout, as the first layer, is for others")
            return
        if self.corrupt and backend() != "tensorflow":
            yield TaskError(f"corrupt needs the TensorFlow backend, KERAS_BACKEND is {backend()}", at=at)
        for step in self.corrupt:
            if not step.is_fitted or step.name == "cache":
                yield TaskError(f"'{step.name}' prepares examples, it spoils none", at=at, help="it stands in augment")
                return
        try:
            spoilt = infer(features, self.corrupt)[-1]
        except TransformError as error:
            yield TaskError(error.message, at=(*at, error.position), help=error.help)
            return
        if spoilt.image != features.image or spoilt.parts.get(LABEL) != features.parts.get(LABEL):
            yield TaskError(f"images {features.image} would become {spoilt.image}, or mixed ones", at=at)

    def measures(self, head: Output) -> Mapping[str, Better]:
        return {}

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        head = _head(graph)
        kind = _loss(head, train)
        is_logits = gets_logits(graph, head, kind)

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            part = input_of(batch)
            return self.spoilt(batch, train.seed)[part], batch[part]

        return Objective(
            model=model,
            pairs=pairs,
            losses={head.name: kind.lower(from_logits=is_logits)},
            weights={head.name: head.weight},
        )

    def spoilt(self, batch: Batch, seed: int) -> Batch:
        """A batch of the data as the network reads it; what a person asks about is read as it is."""
        if not self.corrupt or "epoch" not in batch:
            return batch
        return {**batch, IMAGE: transformed(self.corrupt, seed, "corrupt", dict(batch))}

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.tasks.autoencoding.reconstruction import Reconstructor

        head = _head(graph)
        is_logits = gets_logits(graph, head, _loss(head, train))
        return Reconstructor(model, head.name, lambda batch: self.spoilt(batch, train.seed), is_logits)

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        return (Reconstruction(input_of(features.parts)),)

    def truth(self, batch: Batch, features: Example) -> Batch:
        part = input_of(batch)
        return {part: batch[part]}

    def check_sample(self, graph: Graph, wanted: Wanted) -> TensorSpec | None:
        head = _head(graph)
        amounts(wanted)
        name = wanted.options.get("result", self.latent)
        nodes = {node.layer: node for node in graph.inference().nodes if len(node.outputs) == 1}
        if name not in nodes:
            hint = did_you_mean(name, nodes) or "name the narrow layer with 'as: latent', or say another with --result"
            raise TaskError(f"the network has no layer {shown(name)} to draw from", at=(), help=hint)
        if None in nodes[name].output.shape:
            raise TaskError(f"'{name}' gives {nodes[name].output}, draws need a size", at=())
        return graph.spec(head.tensor)

    def sample(self, graph: Graph, model: keras.Model, wanted: Wanted) -> Samples:
        from archspec.tasks.autoencoding.reconstruction import decoded

        head = _head(graph)
        is_logits = gets_logits(graph, head, _loss(head, wanted.train))
        name = wanted.options.get("result", self.latent)
        (count, steps), last = amounts(wanted), last_activation(graph.by_name, head.tensor)
        values = decoded(model, name, count, wanted.seed, is_logits=is_logits, steps=steps)
        return Samples(values, steps, 0.0 if is_logits else darkest(last))


def _head(graph: Graph) -> Output:
    """The only head of a network with one input. Raises TaskError."""
    only_input(graph, "autoencoding")
    return only_head(graph, "autoencoding")


def _check_shape(graph: Graph, head: Output) -> None:
    """Refuse a head that does not give what the network takes."""
    (wanted,), given = graph.inputs.values(), graph.spec(head.tensor)
    if "float" not in wanted.dtype:
        raise TaskError(f"autoencoding is of numbers, the network takes {wanted.dtype}", at=("spec",))
    if wanted.shape != given.shape:
        raise TaskError(f"the network takes {wanted}, head '{head.name}' gives {given}", at=("spec",))


def _loss(head: Output, train: TrainSettings) -> Loss:
    return chosen(head, train.loss, "mse")


def _check_loss(graph: Graph, head: Output, train: TrainSettings) -> None:
    """Refuse a loss that does not compare two examples, number by number."""
    kind, at = _loss(head, train), place(train.loss)
    if kind.labels not in ("numbers", "binary"):
        raise TaskError(f"autoencoding compares numbers, {kind.name} does not", at=at, help="mse, mae or huber")
    with rules_of(head, at):
        kind.target(graph.spec(head.tensor))
        gets_logits(graph, head, kind)
    if head.metrics:
        raise TaskError(
            f"autoencoding reports mse and mae, head '{head.name}' asks for {head.metrics[0].name}",
            at=("spec",),
            help="leave metrics out",
        )
    if train.class_weight:
        raise TaskError(
            "class_weight is for classes, which autoencoding does not look at", at=("train", "class_weight")
        )
