"""Pictures of segments: for each pixel the object, or the class of what is no object, that it is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.data.errors import DataError
from archspec.data.example import LABEL
from archspec.data.features.mask import Mask
from archspec.data.features.object_masks import mask
from archspec.data.objects import object_names

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.example import Example

THINGS = "things"
"""What data call the class of pixels that all objects have, where it is one."""


class Segment(NamedTuple):
    """One segment: its number in the picture, its class by number (``SegmentClasses``), and whether it counts not."""

    number: int
    kind: int
    is_ignored: bool = False


class SegmentClasses(NamedTuple):
    """Classes of segments: those of objects (things), then those of pixels that are none of these (stuff)."""

    things: tuple[str, ...]
    stuff: tuple[str, ...]
    labels: tuple[int, ...]
    """The number that each class of stuff has in the label."""

    @classmethod
    def of(cls, example: Example) -> SegmentClasses:
        """Those of data whose label has the classes of pixels. Raises DataError where it has none."""
        label, things = example.features.get(LABEL), object_names(example)
        if not isinstance(label, Mask) or not things:
            raise DataError("segments are of data with objects and a class at each pixel")
        kept = [(k, name) for k, name in enumerate(label.class_names) if name not in (*things, THINGS)]
        return cls(things, tuple(name for _, name in kept), tuple(k for k, _ in kept))

    @property
    def names(self) -> tuple[str, ...]:
        """Of all, in their order."""
        return (*self.things, *self.stuff)

    def predicted(self, number: int, classes: Sequence[int]) -> int | None:
        """The class of a segment as ``merge_panoptic`` numbers them, of objects of these classes; None for 0, and for
        what is no stuff of the data."""
        if not 0 < number <= len(classes):
            kind = number - len(classes) - 1
            return len(self.things) + self.labels.index(kind) if kind in self.labels else None
        return int(classes[number - 1])


def true_segments(
    classes: SegmentClasses, masks: np.ndarray, places: Any, kinds: Any, ignored: Any, label: np.ndarray
) -> tuple[np.ndarray, list[Segment]]:
    """The picture that data tell: numbers (height, width) int32, 0 for nothing, and its segments.

    ``masks`` are ``ObjectMasks`` (height, width, channels), with the ``places``, classes and marks of its objects; what
    several have is of the smallest, and of an ignored one last. ``label`` (height, width) has classes of pixels.
    """
    import numpy as np

    out = np.zeros(masks.shape[:2], np.int32)
    for k, kind in enumerate(classes.labels):
        out[label == kind] = k + 1
    segments = [Segment(k + 1, len(classes.things) + k) for k in range(len(classes.labels))]
    rows = zip(places, kinds, ignored, strict=True)
    drawn = [(mask(masks, int(place)), int(kind), bool(mark > 0)) for place, kind, mark in rows if kind >= 0]
    for one, kind, mark in sorted(drawn, key=lambda d: (not d[2], -int(d[0].sum()))):
        segments.append(Segment(len(segments) + 1, kind, mark))
        out[one] = segments[-1].number
    there = set(np.unique(out).tolist())
    return out, [one for one in segments if one.number in there]
