"""Objects in images: boxes, each with a class and a score."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from archspec.data.example import CORNERS, IMAGE, LABEL, Example
from archspec.data.features.boxes import Boxes
from archspec.data.features.mask import Mask
from archspec.data.objects import AREAS, BOXES, CLASSES, IGNORED, MASKS, PLACES
from archspec.evaluators.base import Assessment, Batch, Evaluator
from archspec.evaluators.coco import COUNT
from archspec.evaluators.detection import HEADS, POINTS, SCORES, Objects
from archspec.evaluators.panoptic import PANOPTIC, PanopticQuality
from archspec.ir.graph import Graph
from archspec.ir.tensors import TensorSpec
from archspec.tasks.minimizing import MinimizingTask
from archspec.training.inputs import taken
from archspec.training.task import Predictor, RunContext, TaskError

if TYPE_CHECKING:
    import keras

    from archspec.training.looking import Looking
    from archspec.training.settings import TrainSettings

RANKS = {BOXES: 2, SCORES: 1, CLASSES: 1, COUNT: 0}
"""The heads of a detector, and how many axes each has: (keep, 4), (keep,), (keep,), and a number."""


class Detection(MinimizingTask, name="detection"):
    """Boxes with classes and scores: heads ``boxes``, ``scores``, ``classes`` and ``count``, as ``nms`` gives them, of
    a network that minimises the terms of its ``train`` section, on data with objects. With a further head ``masks``,
    (keep, height, width), a mask within each box, or ``points``, (keep, n, 2), places x, y of each box, which
    predictions tell; with a head ``panoptic``, (height, width), the segment of each pixel, as ``merge_panoptic``
    numbers them.

    Reports every term, and after each epoch COCO's twelve numbers and Pascal VOC's average precision on the data that
    are evaluated, COCO's numbers of masks where both network and data have them, and panoptic quality where the data
    also have the classes of pixels. Needs pycocotools.
    """

    predicts = True
    tells_objects = True
    located = (BOXES,)
    filling = (MASKS,)
    numbered = (PANOPTIC,)
    listed = (BOXES, SCORES, CLASSES, MASKS)

    def check(self, graph: Graph, training: Example, evaluation: Example, train: TrainSettings) -> Iterator[TaskError]:
        if find_spec("pycocotools") is None:
            yield TaskError(
                "detection is evaluated by pycocotools, which is not installed",
                at=("train", "task"),
                help="pip install 'archspec-keras[detection]'",
            )
        if not isinstance(training.features.get(BOXES), Boxes):
            yield TaskError(
                "detection needs data with objects", at=("data",), help="data: {coco: folder}, or voc, or yolo"
            )
            return
        given = {head.name: graph.spec(head.tensor) for head in graph.outputs}
        missing = [name for name in RANKS if name not in given]
        if missing:
            yield TaskError(
                f"detection needs heads {', '.join(RANKS)}, '{graph.name}' has no {' and no '.join(missing)}",
                at=("spec",),
                help="- {nms: 0.5, from: [boxes, scores], as: found}, and heads: {boxes: {from: found.boxes}, …}",
            )
        points = given.get(POINTS)
        if points is not None and (points.rank != 3 or points.channels != 2):
            help = "- {reshape: [-1, 5, 2]} makes places of rows of ten numbers x, y, x, y, …"
            yield TaskError(f"head '{POINTS}' of a detector is (keep, n, 2), not {points}", at=("spec",), help=help)
        for name, rank in RANKS.items():
            spec = given.get(name)
            if spec is not None and (spec.rank != rank or (name == BOXES and spec.channels != 4)):
                wanted = {0: "one number", 1: "(keep,)", 2: "(keep, 4)"}[rank]
                yield TaskError(f"head '{name}' of a detector is {wanted}, not {spec}", at=("spec",))
        yield from _faults_of_pixels(given)
        yield from super().check(graph, training, evaluation, train)

    def predictor(self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example) -> Predictor:
        from archspec.tasks.detection.predictor import BoxPredictor

        names = list(graph.inputs)
        inputs = {name: IMAGE if len(names) == 1 else name for name in names}
        told = [name for name in (MASKS, POINTS, PANOPTIC) if _has(graph, name)]
        return BoxPredictor(model, (*HEADS, *told), taken(inputs))

    def looking(
        self, graph: Graph, model: keras.Model, train: TrainSettings, features: Example, looking: Looking
    ) -> Predictor:
        from archspec.tasks.detection.looks import MergedLooks
        from archspec.tasks.detection.predictor import BoxPredictor

        if looking.dense or looking.views == "ten_crop":
            asked = "--dense" if looking.dense else "ten_crop"
            help = "--scales looks at all of an image, window by window; --views flip at its mirror image, too"
            raise TaskError(f"{asked} has no objects to merge", at=(), help=help)
        if _has(graph, MASKS) or _has(graph, PANOPTIC):
            raise TaskError("masks of objects are told by one look: they are not merged", at=())
        if _has(graph, POINTS):
            raise TaskError("points of objects are told by one look: they are not merged", at=())
        seen = next(iter(graph.inputs.values())).spatial
        if len(graph.inputs) > 1 or (looking.scales and None in seen):
            raise TaskError("--scales and --views need a network of one image, of one size", at=())
        predictor = self.predictor(graph, model, train, features)
        assert isinstance(predictor, BoxPredictor)
        mirrored = looking.views == "flip"
        predictor.outputs = MergedLooks(predictor.outputs, seen, looking.scales, mirrored)  # type: ignore[arg-type]
        return predictor

    def evaluators(self, graph: Graph, features: Example) -> tuple[Evaluator, ...]:
        objects = Objects(masks=_has(graph, MASKS) and MASKS in features.features)
        return (objects, PanopticQuality()) if _has_segments(graph, features) else (objects,)

    def tells_segments(self, graph: Graph) -> bool:
        return _has(graph, PANOPTIC)

    def reads(self, graph: Graph, features: Example) -> tuple[str, ...]:
        return (IMAGE,)

    def truth(self, batch: Batch, features: Example) -> Batch:
        from archspec.tasks.detection.predictor import in_file

        told = {name: batch[name] for name in (CLASSES, IGNORED, AREAS, MASKS, PLACES, CORNERS) if name in batch}
        if LABEL in batch and isinstance(features.features[LABEL], Mask):
            told[LABEL] = batch[LABEL]
        return told | {BOXES: in_file(batch[BOXES], batch[CORNERS])}

    def panels(self, plan: RunContext, assessments: Sequence[Assessment]) -> Mapping[str, Any]:
        from archspec.tasks.detection.panels import examples

        return examples(plan, assessments)


def _has(graph: Graph, name: str) -> bool:
    return any(head.name == name for head in graph.outputs)


def _has_segments(graph: Graph, features: Example) -> bool:
    """Whether segments of pixels are found, and data tell those that there are."""
    return _has(graph, PANOPTIC) and MASKS in features.features and isinstance(features.features.get(LABEL), Mask)


def _faults_of_pixels(given: Mapping[str, TensorSpec]) -> Iterator[TaskError]:
    """What is wrong with heads that tell of pixels."""
    masks, segments, boxes = (given.get(name) for name in (MASKS, PANOPTIC, BOXES))
    if masks is not None and (masks.rank != 3 or (boxes is not None and masks.shape[0] != boxes.shape[0])):
        wanted = f"head '{MASKS}' of a detector is (keep, height, width), the probability of each pixel of each box"
        help = "- {of_class: , from: [masks, found.classes]}"
        yield TaskError(f"{wanted}, not {masks}", at=("spec",), help=help)
    if segments is not None and (segments.rank != 2 or "int" not in segments.dtype):
        wanted = f"head '{PANOPTIC}' of a detector is the number of the segment of each pixel, (height, width)"
        help = "- {merge_panoptic: , from: [masks, found.scores, semantic]}"
        yield TaskError(f"{wanted}, not {segments} {segments.dtype}", at=("spec",), help=help)
