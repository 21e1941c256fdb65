"""What TensorBoard shows of several networks: a grid of samples, always of the same draws. Imports Keras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from archspec.data.grid import grid, png, scatter
from archspec.data.source import TRAIN
from archspec.ir.graph import Training, drawable
from archspec.ir.tensors import TensorSpec
from archspec.ops.loss import last_activation
from archspec.storage.atomic import write_bytes
from archspec.training.board.events import Board
from archspec.training.board.pace import Throttle
from archspec.training.task import darkest

if TYPE_CHECKING:
    from archspec.training.task import RunContext
    from archspec.training.updates.steps import StepsModel

IMAGES, ROWS, POINTS = 64, 8, 1000
"""How many images a grid of samples has, how many rows one of examples of the data and what is made of them, and how
many points a picture of a plane."""


class SamplePanels(keras.callbacks.Callback):
    """Draws after epochs, into ``pictures/``, and the last of it as ``samples.png``.

    What needs only what is drawn is a grid of images, or points of a plane before those of the data; what needs the
    data is a row for each of the first examples: the images that go in, then those that come out.
    """

    def __init__(self, steps: StepsModel, plan: RunContext, board: Board, parts: Mapping[str, str]):
        super().__init__()
        self.steps, self.run, self.board, self.parts = steps, plan, board, parts
        self.seed = plan.train.seed
        # Every epoch, if nothing is said: what networks of this kind learn is seen in nothing else.
        self.pace = Throttle(plan.log.pictures or 1, plan.train.epochs)
        self.seen: dict[int, dict[str, Any]] = {}

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        import tensorflow as tf

        if not self.pace.is_due(epoch):
            return
        with self.pace.taken():
            drawn = self.drawn()
            if not drawn:
                return
            with self.board.pictures.at(epoch + 1):
                for name, image in drawn.items():
                    tf.summary.image(name, image[None])
            data = png(next(iter(drawn.values())))
            write_bytes(self.board.logdir / "samples.png", data)

    def drawn(self) -> dict[str, np.ndarray]:
        """Pictures by name, (height, width, 1 or 3) of 0 … 255."""
        plan = self.steps.plan
        out = {}
        for name in drawable(plan):
            spec = plan.body.spec(plan.results[name])
            if not _is_made(plan, name):
                continue
            if spec.rank == 3:
                low = self.darkest(name)
                drawn = self.steps.sample(IMAGES, seed=self.seed, result=name, given=self.labels(IMAGES))
                out[name] = grid(drawn, low=low)
                rows = {key: np.repeat(labels, ROWS) for key, labels in self.labels(IMAGES // ROWS).items()}
                drawn = self.steps.sample(IMAGES, seed=self.seed, result=name, given=rows, steps=ROWS)
                out[f"{name}_interpolated"] = grid(drawn, ROWS, low)
            elif spec.shape == (2,):
                points = self.steps.sample(POINTS, seed=self.seed, result=name, given=self.labels(POINTS))
                beside = [
                    part for part, shape in plan.body.inputs.items() if shape.shape == (2,) and part in self.parts
                ]
                out[name] = scatter(points, self.examples(POINTS)[beside[0]] if beside else points)
        made = [
            name
            for name, tensor in plan.results.items()
            if _is_made(plan, name) and name not in drawable(plan) and plan.body.spec(tensor).rank == 3
        ]
        if made:
            out["results"] = self.examples_and(made)
        return out

    def darkest(self, name: str) -> float:
        """What is black in images of a result."""
        plan = self.steps.plan
        return darkest(last_activation(plan.body.by_name, plan.results[name]))

    def labels(self, count: int) -> dict[str, Any]:
        """The classes in turn, for inputs that are labels."""
        drawn = self.steps.plan.drawn
        return {name: np.arange(count) % d.classes for name, d in drawn.items() if d.classes is not None}

    def examples(self, count: int) -> dict[str, Any]:
        """The first examples of the data, by input."""
        if count not in self.seen:
            pipeline = self.run.pipeline
            split = self.run.split or TRAIN
            index = range(min(count, self.run.features.splits[split]))
            found = pipeline.examples_at(index, 0, pipeline.eval_transforms, split)
            self.seen[count] = {name: found[part] for name, part in self.parts.items()}
        return self.seen[count]

    def examples_and(self, made: list[str]) -> np.ndarray:
        """A row for each of a few examples: the images that go in, and what is made of them."""
        import tensorflow as tf

        given = self.examples(ROWS)
        plan = self.steps.plan
        batch = {name: tf.convert_to_tensor(value) for name, value in given.items()}
        inputs = self.steps.inputs(batch, 0, 0)
        shown = [given[n] for n, spec in plan.body.inputs.items() if n in given and _is_image(spec)]
        shown += self.steps.results(inputs, made)
        if len({(image.shape[1:3]) for image in shown}) > 1:
            height, width = (max(image.shape[axis] for image in shown) for axis in (1, 2))
            shown = [tf.image.resize(image, (height, width), "nearest").numpy() for image in shown]
        channels = max(image.shape[-1] for image in shown)
        shown = [np.broadcast_to(image, (*image.shape[:3], channels)) for image in shown]
        return grid(np.stack(shown, 1).reshape(-1, *shown[0].shape[1:]), len(shown), self.darkest(made[0]))


def _is_image(spec: TensorSpec) -> bool:
    return spec.rank == 3 and spec.channels in (1, 3) and None not in spec.shape


def _is_made(plan: Training, name: str) -> bool:
    """Whether a result can be drawn, and is what a network gives in the shape of data: no score, mixture or copy."""
    tensor = plan.results[name]
    spec = plan.body.spec(tensor)
    if tensor.node in plan.body.inputs or "." not in plan.body.by_name[tensor.node].layer:
        return False
    given = [s.shape for n, s in plan.body.inputs.items() if n not in plan.drawn]
    return (_is_image(spec) or spec.shape == (2,)) and spec.shape in given
