"""Panoptic quality: how many segments are found, and how well (Kirillov et al. 2018), by the rule of panopticapi."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archspec.data.canvas import Canvas, colour
from archspec.data.corners import placement
from archspec.data.example import CORNERS, LABEL
from archspec.data.objects import CLASSES, IGNORED, MASKS, PLACES
from archspec.data.pasting import sampled
from archspec.data.segments import Segment, SegmentClasses, true_segments
from archspec.evaluators.base import Accumulator, Batch, Better, Evaluator
from archspec.ir.diagnostics import printable

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

PANOPTIC = "panoptic"
"""The head that gives the number of the segment of each pixel, as ``merge_panoptic`` does."""
SEGMENTS = "segments"
"""The same in pixels of the files, a list of arrays."""
KEPT, TILE = 8, 200
"""Most pictures whose segments are kept to be shown, spread over all; height and width of each, in pixels."""
NOTHING = (110, 110, 110)
"""Of pixels of no segment."""
FIGURES = ("pq", "sq", "rq", "pq_things", "pq_stuff")
MEANING = {
    "pq": "sum of IoU over found segments, by TP + FP / 2 + FN / 2, mean over classes",
    "sq": "mean IoU of segments that are found, at an IoU above .5",
    "rq": "F1 of segments",
    "pq_things": "of objects",
    "pq_stuff": "of what is none",
}


class PanopticQuality(Evaluator):
    """Segments of each picture against those of the data, in pixels of the files. A segment is found where its IoU
    with one of its class is above .5. Pixels of no segment do not count, nor do segments in ignored objects.
    """

    figures: Mapping[str, Better] = dict.fromkeys(FIGURES, "max")
    is_logged = True

    def begin(self, features: Example) -> Accumulator:
        return _SegmentCounting(SegmentClasses.of(features))


class _SegmentCounting:
    """An evaluation under way: of each class the sum of IoU, and how many are found, invented and missed."""

    def __init__(self, classes: SegmentClasses):
        import numpy as np

        self.classes, self.examples = classes, 0
        self.totals = np.zeros((len(classes.names), 4))
        # Every picture whose number the step divides: of any number of pictures, few are held at a time.
        self.step, self.shown = 1, dict[int, tuple[np.ndarray, np.ndarray]]()

    def update(self, truth: Batch, said: Batch) -> None:
        import numpy as np

        there = placement(np.asarray(truth[CORNERS]))
        for i, found in enumerate(said[SEGMENTS]):
            places, kinds, ignored = (np.asarray(truth[name][i]) for name in (PLACES, CLASSES, IGNORED))
            masks, label = np.asarray(truth[MASKS][i]), np.asarray(truth[LABEL][i])[..., 0]
            numbers, segments = true_segments(self.classes, masks, places, kinds, ignored, label)
            rows = np.asarray(said[CLASSES][i]).tolist()
            told = {int(n): self.classes.predicted(int(n), rows) for n in np.unique(found)}
            guessed = [Segment(n, kind) for n, kind in told.items() if kind is not None]
            true = sampled(numbers, there[i], found.shape)
            self.totals += counts(true, segments, found, guessed, len(self.totals))
            if self.examples % self.step == 0:
                self.shown[self.examples] = _painted(true, segments), _painted(found, guessed)
            if len(self.shown) > KEPT:
                self.step *= 2
                self.shown = {k: pair for k, pair in self.shown.items() if k % self.step == 0}
            self.examples += 1

    def result(self) -> PanopticAssessment:
        pictures = tuple(self.shown.values())
        return PanopticAssessment(self.examples, self.classes, tuple(map(tuple, self.totals.tolist())), pictures)


def counts(
    true: np.ndarray, segments: Sequence[Segment], said: np.ndarray, found: Sequence[Segment], classes: int
) -> np.ndarray:
    """Of each class the sum of IoU over found segments, and how many are found, invented and missed: (classes, 4).

    ``true`` and ``said`` (height, width) are numbers of segments, of which those that are listed count; other pixels
    are void.
    """
    import numpy as np

    out = np.zeros((classes, 4))
    truth = {one.number: one for one in segments}
    guess = {one.number: one for one in found}
    pairs, sizes = np.unique(np.stack([true.ravel(), said.ravel()]), axis=1, return_counts=True)
    common = {(int(a), int(b)): int(n) for (a, b), n in zip(pairs.T, sizes, strict=True)}
    area = {n: int((true == n).sum()) for n in truth}, {n: int((said == n).sum()) for n in guess}
    void = dict.fromkeys(guess, 0)
    for (a, b), n in common.items():
        if b in guess and a not in truth:
            void[b] += n
    hit: set[int] = set()
    missed = {n for n, one in truth.items() if not one.is_ignored and area[0][n]}
    for (a, b), n in common.items():
        if a not in truth or b not in guess or truth[a].is_ignored or truth[a].kind != guess[b].kind:
            continue
        share = n / (area[0][a] + area[1][b] - n - void[b])
        if share > 0.5:
            out[truth[a].kind, :2] += share, 1
            hit.add(b)
            missed.discard(a)
    for number in missed:
        out[truth[number].kind, 3] += 1
    crowds = {one.kind: n for n, one in truth.items() if one.is_ignored}
    for number, one in guess.items():
        if number in hit or not area[1][number]:
            continue
        ignored = void[number] + common.get((crowds[one.kind], number), 0) if one.kind in crowds else void[number]
        if ignored / area[1][number] <= 0.5:
            out[one.kind, 2] += 1
    return out


@dataclass(frozen=True, slots=True)
class PanopticAssessment:
    """Figures of one evaluation. A class of which nothing is, and nothing is found, is in no mean."""

    examples: int
    classes: SegmentClasses
    totals: tuple[tuple[float, ...], ...]
    """Of each class the sum of IoU, and how many segments are found, invented and missed."""
    shown: Sequence[tuple[np.ndarray, np.ndarray]] = field(default=(), compare=False, repr=False)
    """The true and the predicted segments of a few pictures, in the colours of their classes."""

    @property
    def by_class(self) -> tuple[tuple[float, float, float] | None, ...]:
        """PQ, SQ and RQ of each class; None for one that occurs nowhere."""
        out: list[tuple[float, float, float] | None] = []
        for iou, tp, fp, fn in self.totals:
            whole = tp + fp / 2 + fn / 2
            out.append((iou / whole, iou / tp if tp else 0.0, tp / whole) if whole else None)
        return tuple(out)

    @property
    def figures(self) -> Mapping[str, float]:
        every, things = self.by_class, len(self.classes.things)
        found = dict(zip(FIGURES, _means(every), strict=False))
        for name, some in (("pq_things", every[:things]), ("pq_stuff", every[things:])):
            if means := _means(some):
                found[name] = means[0]
        return found

    def text(self) -> str:
        lines = [f"{'images':<10} {self.examples:>8,}"]
        lines += [f"{name:<10} {value:>8.4f}  {MEANING[name]}" for name, value in self.figures.items()]
        names = [printable(name) for name in self.classes.names]
        width = max(len("segments"), *map(len, names))
        lines += ["", f"{'segments':<{width}}  found  missed  invented      PQ      SQ      RQ"]
        for name, (_, tp, fp, fn), figures in zip(names, self.totals, self.by_class, strict=True):
            said = "".join("       -" if figures is None else f"{figures[k]:>8.4f}" for k in range(3))
            lines.append(f"{name:<{width}} {tp:>6,.0f} {fn:>7,.0f} {fp:>9,.0f}{said}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        pairs = zip(self.classes.names, self.by_class, strict=True)
        return {**self.figures, "segments": {name: figures and list(figures) for name, figures in pairs}}

    def panels(self) -> Mapping[str, np.ndarray]:
        if not self.shown:
            return {}
        import numpy as np

        from archspec.evaluators.panels import legend

        rows = [np.concatenate([Canvas(one, TILE).pixels for one in pair], 1) for pair in self.shown]
        there = [k for k, of in enumerate(self.by_class) if of is not None]
        inks = {printable(self.classes.names[k]): colour(k) for k in there}
        return {"segments": legend(np.concatenate(rows), ("truth", "prediction"), inks | {"no segment": NOTHING})}

    def curves(self) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
        return {}


def _painted(numbers: np.ndarray, segments: Sequence[Segment]) -> np.ndarray:
    """Segments in the colours of their classes, with white between them: uint8 of shape (height, width, 3), as small as
    a tile."""
    import numpy as np

    step = -(-max(numbers.shape) // TILE)
    small = numbers[step // 2 :: step, step // 2 :: step]
    out = np.full((*small.shape, 3), NOTHING, np.uint8)
    for one in segments:
        out[small == one.number] = colour(one.kind)
    out[1:][small[1:] != small[:-1]] = 255
    out[:, 1:][small[:, 1:] != small[:, :-1]] = 255
    return out


def _means(of: Sequence[tuple[float, float, float] | None]) -> list[float]:
    """The means over classes that occur; nothing where none does."""
    there = [figures for figures in of if figures is not None]
    return [sum(column) / len(there) for column in zip(*there, strict=True)] if there else []
