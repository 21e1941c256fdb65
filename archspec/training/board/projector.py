"""What a layer makes of held-out examples, as points in TensorBoard's projector.

Keras's own (``embeddings_freq``) writes a file that the projector cannot read. It reads tables, whose folder must have
a file of events besides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.seams.models import is_evaluation_stopped
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL
from archspec.storage.atomic import write_text
from archspec.training.board.events import Events
from archspec.training.inputs import taken_of
from archspec.training.plan import Plan

if TYPE_CHECKING:
    import keras
    import numpy as np

    from archspec.training.task import Objective, RunContext

MAX_POINTS = 1000
"""Points; of more examples, as many that are spread over the split."""
TILE = 32
"""Pixels of a point's picture."""


def projector(plan: Plan, events: Events, layer: str, objective: Objective) -> keras.callbacks.Callback:
    """Keeps the outputs of the last evaluation that there was, with classes, names and pictures of the examples."""
    import keras

    class Projector(keras.callbacks.Callback):
        epoch = 0

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.epoch = epoch

        def on_test_end(self, logs: dict[str, float] | None = None) -> None:
            if self.epoch + 1 == plan.spec.train.epochs and not is_evaluation_stopped(self.model):
                write_points(plan, self.model, layer, events)

    return Projector()


def write_points(plan: Plan, model: keras.Model, layer: str, events: Events) -> None:
    """Write the tables and what tells the projector of them. Raises OSError, tf.errors.OpError."""
    import keras
    import numpy as np
    import tensorflow as tf

    split = plan.split
    assert split is not None
    _, positions = spread(plan, split, MAX_POINTS)
    seen = plan.pipeline.examples_at(positions.tolist(), 0, plan.pipeline.eval_transforms, split)
    inner = keras.Model(model.input, model.get_layer(layer).output)
    points = np.asarray(inner.predict(_read(plan, seen), batch_size=plan.pipeline.batch, verbose=0))
    points = points.reshape(len(positions), -1)
    with events.at(plan.train.epochs):
        tf.summary.text("layer", layer)
    folder = events.folder
    rows = ["\t".join(f"{value:.6g}" for value in point) for point in points]
    _write(folder / "vec.tsv", rows)
    called = [plan.features.called(label) for label in seen[LABEL]] if LABEL in seen else ["-"] * len(positions)
    lines = [
        f"{_cell(c)}\t{_cell(plan.source.describe(split, int(p)))}" for c, p in zip(called, positions, strict=True)
    ]
    _write(folder / "meta.tsv", ["class\texample", *lines])
    sprite = _sprite(plan, split, positions, folder)
    _write(folder / "projector_config.pbtxt", [_config(layer, sprite)])


def _read(plan: Plan, batch: dict[str, Any]) -> Any:
    """What the network reads of a batch."""
    targets = plan.features.targets
    return taken_of(plan.graph)({name: value for name, value in batch.items() if name not in targets})


def spread(plan: RunContext, split: str, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Examples of a split, spread evenly over those that can be read: their places among these, in which an evaluation
    has them, and their positions in the split."""
    import numpy as np

    usable = plan.source.usable(split)
    usable = np.arange(plan.features.splits[split]) if usable is None else usable
    count = min(most, len(usable))
    places = np.arange(count) * len(usable) // count
    return places, usable[places]


def _sprite(plan: Plan, split: str, positions: np.ndarray, folder: Path) -> bool:
    """Write the picture of all examples' pictures; False where they have none."""
    from archspec.data.sheet import ContactSheet, tiles
    from archspec.data.sheet import write as write_sheet

    if IMAGE not in plan.features.parts:
        return False
    try:
        shown = tiles(plan.pipeline, positions.tolist(), split, TILE)
    except DataError:
        return False
    import numpy as np

    side = int(np.ceil(len(shown) ** 0.5))
    sheet = np.full((side * TILE, side * TILE, 3), 255, np.uint8)
    for i, tile in enumerate(shown):
        top, left = i // side * TILE, i % side * TILE
        sheet[top : top + TILE, left : left + TILE] = tile
    write_sheet(ContactSheet(sheet, ()), folder / "sprite.png")
    return True


def _config(layer: str, sprite: bool) -> str:
    from google.protobuf import text_format
    from tensorboard.plugins.projector import ProjectorConfig

    config = ProjectorConfig()
    one = config.embeddings.add()
    one.tensor_name, one.tensor_path, one.metadata_path = layer, "vec.tsv", "meta.tsv"
    if sprite:
        one.sprite.image_path = "sprite.png"
        one.sprite.single_image_dim.extend([TILE, TILE])
    return str(text_format.MessageToString(config)).rstrip()


def _cell(text: str) -> str:
    return " ".join(text.split()) or "-"


def _write(path: Path, lines: list[str]) -> None:
    write_text(path, "\n".join(lines) + "\n")
