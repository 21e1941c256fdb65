"""Scores at every pixel of images of any size, of a network that takes a window of one size. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from keras import ops

from archspec.training.views import starts

OVERLAP = 0.25
"""Least share of a window's scores that the next one gives as well."""
TOGETHER = 8
"""Windows that are asked about at a time."""

Scores = Callable[[np.ndarray], np.ndarray]
"""What a network says of each pixel of windows: (n, height, width, channels) → (n, height', width', classes)."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Asks a network about all of an image: windows overlap, what they read beyond its border is mirrored (the
    overlap-tile strategy of Ronneberger et al. 2015), and of what several say of a pixel the mean is taken, in which
    a window counts the less the nearer the pixel lies to the edge of its scores.

    ``seen`` is the height and width of a window, ``told`` of its scores, which lie in its middle.
    """

    seen: tuple[int, int]
    told: tuple[int, int]
    overlap: float = OVERLAP

    def __call__(self, scores: Scores, image: np.ndarray) -> np.ndarray:
        """The scores of one image, (height, width, channels) → (height, width, classes), float32."""
        size = image.shape[:2]
        whole = tuple(max(n, told) for n, told in zip(size, self.told, strict=True))
        around = [
            (full - have) // 2 + (seen - told) // 2
            for full, have, seen, told in zip(whole, size, self.seen, self.told, strict=True)
        ]
        after = [
            full + seen - told - have - before
            for full, have, seen, told, before in zip(whole, size, self.seen, self.told, around, strict=True)
        ]
        wide = np.pad(image, [*zip(around, after, strict=True), (0, 0)], "symmetric")
        rows, columns = (starts(n, told, self.overlap) for n, told in zip(whole, self.told, strict=True))
        ramps = [np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)) for n in self.told]
        weight = (ramps[0][:, None] * ramps[1][None])[..., None].astype(np.float32)
        total: np.ndarray | None = None
        over = np.zeros((*whole, 1), np.float32)
        places = [(top, left) for top in rows for left in columns]
        for some in _groups(places):
            height, width = self.seen
            given = np.stack([wide[top : top + height, left : left + width] for top, left in some])
            for (top, left), said in zip(some, scores(given), strict=True):
                if total is None:
                    total = np.zeros((*whole, said.shape[-1]), np.float32)
                window = slice(top, top + self.told[0]), slice(left, left + self.told[1])
                total[window] += weight * said
                over[window] += weight
        assert total is not None
        top, left = ((full - have) // 2 for full, have in zip(whole, size, strict=True))
        total /= over
        return total[top : top + size[0], left : left + size[1]]


@dataclass(frozen=True, slots=True)
class Looks:
    """What a network says of an image at several scales and of its mirror image, averaged at each pixel. ``scales`` are
    lengths of the short side in pixels; none for the image as it is."""

    windows: Windows
    scales: tuple[int, ...] = ()
    is_mirrored: bool = False

    def __call__(self, scores: Scores, image: np.ndarray) -> np.ndarray:
        """The scores of one image, as ``Windows`` gives them."""
        size = image.shape[:2]
        turns = (slice(None), slice(None, None, -1))[: 1 + self.is_mirrored]
        total: np.ndarray | None = None
        # Scores of a large image are larger still: the sum of all looks is held, and one look.
        for short in (shorts := self.scales or (min(size),)):
            seen = _scaled(image, tuple(max(1, round(n * short / min(size))) for n in size))
            for turn in turns:
                said = _scaled(self.windows(scores, seen[:, turn])[:, turn], size)
                if total is None:
                    total = np.require(said, requirements="W")
                else:
                    total += said
        assert total is not None
        total /= len(shorts) * len(turns)
        return total


def _scaled(image: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Bilinear, averaged over the pixels that fall together where it shrinks."""
    if image.shape[:2] == tuple(size):
        return image
    out = ops.image.resize(image[None].astype(np.float32), tuple(size), interpolation="bilinear", antialias=True)
    made: np.ndarray = ops.convert_to_numpy(out)[0]
    return made


def _groups(places: Sequence[tuple[int, int]]) -> Iterator[Sequence[tuple[int, int]]]:
    for first in range(0, len(places), TOGETHER):
        yield places[first : first + TOGETHER]
