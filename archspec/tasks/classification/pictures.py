"""What TensorBoard shows of a classifier after an evaluation: examples with what is said of them, the confusion
matrix, curves of precision over recall."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.source import IMAGE, LABEL, input_of
from archspec.training.board.events import Events
from archspec.training.board.pace import Pace
from archspec.training.board.projector import spread
from archspec.training.task import RunContext

if TYPE_CHECKING:
    import keras
    import numpy as np

EXAMPLES, COLUMNS = 16, 4
"""Held-out examples that are shown, the same ones each time."""
TILE = 96
LINE = 14
"""Height of a line of text, in pixels."""
CURVES = 20
"""With more classes than this there is one curve, of all decisions together."""
NAMED = 40
"""With more classes than this the confusion matrix is a picture alone, without names and counts."""
THRESHOLDS = 101


def pictures(plan: RunContext, logdir: Path, probabilities: Callable[..., Any]) -> keras.callbacks.Callback:
    """Draws when it is due, with the weights that were evaluated, what the task's ``probabilities`` say."""
    import keras

    class Pictures(keras.callbacks.Callback):
        epoch = 0
        pace = Pace(plan.log.pictures, plan.train.epochs)
        events = Events(logdir / "pictures")
        scores: Any = None
        shown: Any = None

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.epoch = epoch

        def on_test_end(self, logs: Any = None) -> None:
            if not self.model.stop_evaluating and self.pace.is_due(self.epoch):
                with self.pace.taken():
                    self.draw()

        def draw(self) -> None:
            import numpy as np

            said, labels = self.said()
            if not np.isfinite(said).all():
                return
            if self.shown is None:
                self.shown = _examples(plan)
            names = plan.features.class_names or tuple(str(i) for i in range(said.shape[1]))
            with self.events.at(self.epoch):
                _tell(said, labels, names, self.shown)

        def said(self) -> tuple[np.ndarray, np.ndarray]:
            """Probabilities and classes of the held-out examples, in the order of their positions."""
            import numpy as np
            import tensorflow as tf

            if self.scores is None:
                self.scores = tf.function(lambda x: self.model(x, training=False), reduce_retracing=True)
            labels: list[Any] = []

            def inputs() -> Any:
                pairs = plan.pipeline.evaluation(plan.split, lambda b: (b[input_of(b)], b[LABEL]))  # type: ignore[arg-type]
                for x, label in pairs:
                    labels.append(np.asarray(label))
                    yield x

            def model(x: Any, training: bool) -> Any:
                return self.scores(x)

            found = probabilities(plan.graph, model, inputs(), plan.train.loss)
            all_labels = np.concatenate(labels)
            return found, all_labels.argmax(-1) if all_labels.ndim == 2 else all_labels

    return Pictures()


def _examples(plan: RunContext) -> tuple[np.ndarray, list[np.ndarray]] | None:
    """Rows of the evaluation that are shown, and their images; None where the data are no images."""
    import numpy as np

    from archspec.data.sheet import tiles

    if IMAGE not in plan.features.parts:
        return None
    split = plan.split
    assert split is not None
    positions = spread(plan, split, EXAMPLES)
    usable = plan.source.usable(split)
    rows = positions if usable is None else np.searchsorted(usable, positions)
    try:
        return rows, tiles(plan.pipeline, positions.tolist(), split, TILE)
    except DataError:
        return None


def _tell(
    said: np.ndarray, labels: np.ndarray, names: tuple[str, ...], shown: tuple[np.ndarray, list[np.ndarray]] | None
) -> None:
    import numpy as np
    import tensorflow as tf

    from archspec.tasks.classification.assessment import assess

    if shown is not None:
        rows, images = shown
        tf.summary.image("examples", grid(images, said[rows], labels[rows], names)[None])
    tf.summary.image("confusion", confusion_picture(np.array(assess(said, labels, names).confusion), names)[None])
    for name, right, score in curves(said, labels, names):
        tf.summary.experimental.write_raw_pb(_curve(name, right, score))


def curves(said: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, truth and score of what each curve is drawn of: every class by itself, and all decisions together."""
    import numpy as np

    count = said.shape[1]
    right = labels[:, None] == np.arange(count)
    together = [("all classes", right.ravel(), said.ravel())]
    if count > CURVES:
        return together
    return together + [(names[i], right[:, i], said[:, i]) for i in range(count)]


def _curve(name: str, right: np.ndarray, score: np.ndarray) -> Any:
    from tensorboard.plugins.pr_curve import summary

    curve = summary.pb(name, right, score.clip(0, 1), num_thresholds=THRESHOLDS)
    return curve.SerializeToString()


def grid(images: list[np.ndarray], said: np.ndarray, labels: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Square images in rows; below each what is said and how surely (green where it is right, else red), and then
    what it is."""
    import numpy as np
    from PIL import Image, ImageDraw

    tile = images[0].shape[0]
    width, height = max(tile, 6 * LINE) + 8, tile + 2 * LINE + 8
    rows = -(-len(images) // COLUMNS)
    picture = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    draw, font = ImageDraw.Draw(picture), _font()
    for i, (image, scores, label) in enumerate(zip(images, said, labels, strict=True)):
        left, top = i % COLUMNS * width + 4, i // COLUMNS * height + 4
        picture.paste(Image.fromarray(image), (left, top))
        best = int(scores.argmax())
        color = "#1a7f37" if best == label else "#cf222e"
        chance = f" {scores[best]:.2f}"
        draw.text((left, top + tile), _fitting(names[best], chance, width - 8), color, font)
        if best != label:
            draw.text((left, top + tile + LINE), _fitting(names[label], "", width - 8), "black", font)
    return np.asarray(picture)


def confusion_picture(counts: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Rows are true classes, columns what was said; the darker, the larger the share of its row."""
    import numpy as np
    from PIL import Image, ImageDraw

    share = counts / np.maximum(1, counts.sum(1, keepdims=True))
    cell = 40 if len(names) <= NAMED else max(1, 800 // len(names))
    blue = np.array([8, 48, 107])
    colors = np.rint(255 + share[..., None] * (blue - 255)).astype(np.uint8)
    body = np.repeat(np.repeat(colors, cell, 0), cell, 1)
    if len(names) > NAMED:
        return body
    font = _font()
    margin = 8 + round(max(font.getlength(_cut(name)) for name in names))
    side = margin + body.shape[0]
    picture = Image.new("RGB", (side, side), "white")
    picture.paste(Image.fromarray(body), (margin, margin))
    draw = ImageDraw.Draw(picture)
    for i, name in enumerate(names):
        middle = margin + i * cell + cell // 2
        draw.text((margin - 4, middle), _cut(name), "black", font, anchor="rm")
        for j, count in enumerate(counts[i]):
            if count:
                ink = "white" if share[i, j] > 0.5 else "black"
                draw.text((margin + j * cell + cell // 2, middle), str(count), ink, font, anchor="mm")
    picture = picture.rotate(-90)
    draw = ImageDraw.Draw(picture)
    for i, name in enumerate(names):
        draw.text((side - margin + 4, margin + i * cell + cell // 2), _cut(name), "black", font, anchor="lm")
    return np.asarray(picture.rotate(90))


def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=11)


def _cut(name: str, most: int = 18) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _fitting(name: str, rest: str, width: int) -> str:
    """The name, shortened until it fits before the rest."""
    font = _font()
    for most in range(len(name), 1, -1):
        text = _cut(name, most) + rest
        if font.getlength(text) <= width:
            return text
    return _cut(name, 1) + rest
