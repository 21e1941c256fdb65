"""A class for each pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from archspec.analysis.receptive import receptive_fields
from archspec.data.example import IMAGE, LABEL, Example
from archspec.data.features.mask import Mask
from archspec.data.transforms.borders import BorderWeights
from archspec.evaluators.base import Assessment, Batch, Better, Evaluator
from archspec.evaluators.segmentation import PixelClasses, middle
from archspec.ir.graph import Graph, Output
from archspec.ir.tensors import Size
from archspec.ir.validation import refuse
from archspec.ops.base import Op
from archspec.ops.loss import Loss, last_activation, probabilities_by
from archspec.training.inputs import input_faults, refuse_networks, taken_of, usual_augment
from archspec.training.losses import chosen, gets_logits, place, rules_of
from archspec.training.task import Objective, Predictor, RunContext, Task, TaskError, class_fault, faults

if TYPE_CHECKING:
    import keras

    from archspec.training.looking import Looking
    from archspec.training.settings import TrainSettings

MEDIAN_FREQUENCY = "median_frequency"
PIXELWISE = ("categorical_crossentropy", "sparse_categorical_crossentropy", "categorical_focal")
REGIONS = ("dice", "tversky", "jaccard", "lovasz_softmax")
"""Losses of whole regions, which compare a share of each class over all pixels of a batch."""


def _weights(value: object) -> Any:
    if value is None or value == MEDIAN_FREQUENCY:
        return value
    if not isinstance(value, (list, tuple)) or any(type(v) not in (int, float) or not v >= 0 for v in value):
        raise refuse(f"must be '{MEDIAN_FREQUENCY}', or a list of numbers from 0, one for each class")
    return tuple(float(v) for v in value)


class Segmentation(Task, name="segmentation", main="class_weights"):
    """A class for each pixel: heads of one score per class at each pixel, softmax or logits, of images with masks.

    Pixels of masks that have no class (void) count neither in the loss nor in figures. Reports the mean IoU over the
    classes that occur, and accuracy.
    """

    predicts = True
    tells_pixels = True

    class_weights: Annotated[
        tuple[float, ...] | Literal["median_frequency"] | None, BeforeValidator(_weights), Field()
    ] = None
    """Weight of each class's pixels in a loss of single pixels, in the order of the classes. ``median_frequency``:
    a class's share of the pixels of the images that it occurs in, and the median of these shares over it (Eigen and
    Fergus 2015, SegNet)."""

    hard_pixels: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of a batch's pixels that count in a loss of single pixels: those whose loss is largest (Shrivastava et
    al. 2016; Wu, Shen and van den Hengel 2016). Null for all."""

    def defaults(self, graph: Graph, features: Example) -> Mapping[str, Any]:
        """Images brought to the network's size and, where they are 8-bit and it takes floats, to 0 … 1."""
        return usual_augment(graph, features)

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        yield from (found := list(faults(lambda: refuse_networks(graph, self.name))))
        if not isinstance(training.features.get(LABEL), Mask) or training.classes is None:
            yield TaskError(
                "segmentation needs data with a mask for each image",
                at=("data",),
                help="data: {masks: folder}, of images/1.jpg and masks/1.png",
            )
            return
        if not found:
            yield from input_faults(graph, training, evaluation)
        if isinstance(self.class_weights, tuple):
            yield from faults(partial(self._check_weights, training))
        if train.class_weight:
            yield TaskError(
                "class_weight is for one class an example; segmentation has weights of its own",
                at=("train", "class_weight"),
                help=f"task: {{segmentation: {{class_weights: {MEDIAN_FREQUENCY}}}}}",
            )
        for output in graph.outputs:
            for error in faults(
                partial(_check_scores, graph, output, training, evaluation),
                partial(self._check_loss, graph, output, train, BorderWeights.name in training.features),
            ):
                yield error.of_head(output)

    def _check_weights(self, features: Example) -> None:
        assert isinstance(self.class_weights, tuple)
        at = ("train", "task", self.name, "class_weights")
        if len(self.class_weights) != features.classes:
            message = f"class_weights has {len(self.class_weights)} numbers, the data have {features.classes} classes"
            raise TaskError(message, at=at, help=f"one for each of {', '.join(features.class_names)}")
        if not any(self.class_weights):
            raise TaskError("all classes have the weight 0: nothing would be learnt", at=at)

    def _check_loss(self, graph: Graph, output: Output, train: TrainSettings, has_borders: bool) -> None:
        given = train.loss if output is _first(graph) else None
        kind, at = _loss(output, given), place(given)
        if kind.name not in PIXELWISE + REGIONS:
            raise TaskError(
                f"{kind.name} is no loss of classes at pixels", at=at, help=f"one of {', '.join(PIXELWISE + REGIONS)}"
            )
        with rules_of(output, at):
            kind.target(graph.spec(output.tensor))
            gets_logits(graph, output, kind)
        if has_borders and kind.name in REGIONS:
            message = f"{kind.name} has no single pixels that border_weights would weigh"
            raise TaskError(message, at=("augment",), help="leave them out, or take categorical_crossentropy")
        for name, does in (("class_weights", "weigh"), ("hard_pixels", "choose")):
            if getattr(self, name) and kind.name in REGIONS:
                raise TaskError(
                    f"{kind.name} has no single pixels that {name} would {does}",
                    at=("train", "task", self.name, name),
                    help="leave them out, or take categorical_crossentropy",
                )
        if other := next((metric.name for metric in output.metrics if metric.name != "accuracy"), None):
            raise TaskError(
                f"segmentation reports mean_iou and accuracy, head '{output.name}' asks for {other}",
                at=("spec",),
                help="leave metrics out",
            )

    def measures(self, head: Output) -> Mapping[str, Better]:
        return {"accuracy": "max", "mean_iou": "max"}

    @property
    def is_fitted(self) -> bool:
        return self.class_weights != MEDIAN_FREQUENCY

    def fitted(self, targets: Callable[[], Iterator[Batch]], features: Example) -> Self:
        from archspec.tasks.segmentation.weights import median_frequency

        if self.is_fitted:
            return self
        found = median_frequency((batch[LABEL] for batch in targets()), features.classes or 0)
        return self.model_copy(update={"class_weights": found})

    def trainer(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Objective:
        from archspec.tasks.segmentation.losses import MeanIoU, PixelAccuracy, PixelLoss, RegionLoss

        classes, first = features.classes or 0, _first(graph)
        weights = None if isinstance(self.class_weights, str) else self.class_weights
        losses: dict[str, Any] = {}
        for o in graph.outputs:
            kind = _loss(o, train.loss if o is first else None)
            made = kind.lower(from_logits=gets_logits(graph, o, kind))
            if kind.name in REGIONS:
                losses[o.name] = RegionLoss(made, classes)
            else:
                spread = kind.labels == "one_hot"
                losses[o.name] = PixelLoss(made, classes, weights, spread=spread, hardest=self.hard_pixels)
        taken, sizes = taken_of(graph), {o.name: graph.spec(o.tensor).spatial for o in graph.outputs}

        def pairs(batch: dict[str, Any]) -> tuple[Any, Any]:
            mask, batch = _weighted(batch)
            masks = {name: middle(mask, size) for name, size in sizes.items()}
            return taken(batch), next(iter(masks.values())) if len(masks) == 1 else masks

        return Objective(
            model=model,
            pairs=pairs,
            losses=losses,
            weights={o.name: o.weight for o in graph.outputs},
            metrics={o.name: [PixelAccuracy(classes), MeanIoU(classes)] for o in graph.outputs if not o.train_only},
        )

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.tasks.segmentation.predictor import MaskPredictor

        return MaskPredictor(model, _first(graph).name, taken_of(graph), self.scored_by(graph, train))

    def looking(
        self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example, looking: Looking
    ) -> Predictor:
        seen = next(iter(graph.inputs.values())).spatial
        told = graph.spec(_first(graph).tensor).spatial
        if looking.views == "ten_crop":
            raise TaskError("segmentation has --views single and flip: --dense looks at all of an image", at=())
        has_windows = not replace(looking, crf=None).is_plain
        if has_windows and (len(graph.inputs) > 1 or None in (*seen, *told)):
            raise TaskError("windows of an image need a network with one input, of one size", at=())
        from archspec.tasks.segmentation.predictor import MaskPredictor
        from archspec.tasks.segmentation.windows import Looks, Windows

        looks = Looks(Windows(seen, told), looking.scales, looking.views == "flip") if has_windows else None  # type: ignore[arg-type]
        activation = self.scored_by(graph, train)
        return MaskPredictor(model, _first(graph).name, taken_of(graph), activation, looks, looking.crf)

    def scored(self, graph: Graph) -> tuple[str, ...]:
        return (_first(graph).name,)

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        return (PixelClasses(),)

    def panels(self, plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
        from archspec.tasks.segmentation.panels import examples

        return examples(plan, assessments)

    def scored_by(self, graph: Graph, train: TrainSettings) -> Op | None:
        output = _first(graph)
        return probabilities_by(_loss(output, train.loss), last_activation(graph.by_name, output.tensor))


def _weighted(batch: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The masks of a batch, with weights of pixels behind the numbers where there are some, and what else it has."""
    rest = {name: value for name, value in batch.items() if name != BorderWeights.name}
    if len(rest) == len(batch):
        return batch[LABEL], rest
    import tensorflow as tf

    return tf.concat([tf.cast(batch[LABEL], tf.float32), batch[BorderWeights.name]], -1), rest


def _first(graph: Graph) -> Output:
    return next((o for o in graph.outputs if not o.train_only), graph.outputs[0])


def _loss(output: Output, given: Loss | None) -> Loss:
    return chosen(output, given, "categorical_crossentropy")


def _lies_within(graph: Graph, output: Output, sides: tuple[tuple[Size, Size], ...]) -> bool:
    """Whether scores are of the pixels in the middle of a mask, by what each reads: those of coarser maps are not.
    ``sides`` are the lengths of both, axis by axis."""
    field = receptive_fields(graph)[output.tensor]
    return all(
        a is not None and b is not None and a <= b and stride == 1 and offset == (b - a) / 2
        for (a, b), stride, offset in zip(sides, field.stride, field.offset, strict=True)
    )


def _check_scores(graph: Graph, output: Output, training: Example, evaluation: Example) -> None:
    """Refuse a head that has not one score for each class of the data at each pixel of the masks, or of their middle: a
    network without padding says nothing of a margin."""
    spec = graph.spec(output.tensor)
    if spec.rank != 3:
        raise TaskError(
            f"segmentation needs a score per class at each pixel, head '{output.name}' gives {spec}", at=("spec",)
        )
    if spec.channels != training.classes:
        hint = "a head with as many channels as there are classes"
        raise class_fault(graph, training, f"head '{output.name}'", spec.channels, hint)
    for features, at in ((training, ("augment",)), (evaluation, ("evaluate", "transforms"))):
        mask = features.parts[LABEL]
        sides = tuple(zip(spec.spatial, mask.spatial, strict=True))
        if any(None not in (a, b) and a != b for a, b in sides) and not _lies_within(graph, output, sides):
            size = " × ".join(map(str, mask.spatial))
            raise TaskError(
                f"head '{output.name}' gives scores {spec}, masks are {size} pixels as the images are",
                at=at if features.parts[IMAGE].spatial != mask.spatial else ("spec",),
                help="resize the scores to the size of the input: resize: {scale: …}",
            )
