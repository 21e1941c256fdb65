"""Regions of an image that may hold an object: segments merged, the most alike first (Uijlings et al. 2013)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

COLOURS, ANGLES, STEPS = 25, 8, 10
"""Bins of the histograms: of each channel's values, of directions of edges, and of their strength in each direction."""


class Merged(NamedTuple):
    """Pixels that belong together: how many, the histograms of each colour space, and the box about them."""

    size: int
    colour: np.ndarray
    texture: np.ndarray
    box: tuple[int, int, int, int]


def proposals(image: np.ndarray, count: int, *, scales: tuple[float, ...], sigma: float, least: int) -> np.ndarray:
    """Boxes (count, 4) of an image (height, width, 1 or 3) of 0 … 255, float32, zeros behind the last: those of all
    regions that arise where segments merge, in two colour spaces and at several scales, the latest of each first.

    A box counts once, and one with a side below ``least`` not at all.
    """
    import numpy as np
    from skimage.color import rgb2hsv, rgb2lab
    from skimage.segmentation import felzenszwalb

    picture = np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.float64) / 255
    lab = (rgb2lab(picture) + np.array([0, 128, 128])) / [100, 255, 255]
    found = []
    for space in (rgb2hsv(picture), lab):
        for scale in scales:
            segments = felzenszwalb(space, scale=scale, sigma=sigma, min_size=least * least)
            found.append([region.box for region in merged(space, segments)][::-1])
    # The latest of every hierarchy, then those before: none of them is left out for the sake of another.
    ranked = [boxes[k] for k in range(max(map(len, found))) for boxes in found if k < len(boxes)]
    kept = [box for box in dict.fromkeys(ranked) if min(box[2] - box[0], box[3] - box[1]) >= least][:count]
    out = np.zeros((count, 4), np.float32)
    if kept:
        out[: len(kept)] = kept
    return out


def merged(image: np.ndarray, segments: np.ndarray) -> list[Merged]:
    """The regions of a segmentation (height, width), and those that arise until there is one, in that order."""
    import numpy as np

    height, width = segments.shape
    regions = _described(image, segments)
    pairs = np.concatenate(
        [
            np.stack([segments[:, :-1], segments[:, 1:]], -1).reshape(-1, 2),
            np.stack([segments[:-1], segments[1:]], -1).reshape(-1, 2),
        ]
    )
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    alike = {(int(a), int(b)): _likeness(regions[a], regions[b], height * width) for a, b in pairs}
    while alike:
        a, b = max(alike, key=lambda pair: (alike[pair], pair))
        new = len(regions)
        regions.append(_joined(regions[a], regions[b]))
        beside = {n for pair in alike if {a, b} & {*pair} for n in pair} - {a, b}
        alike = {pair: value for pair, value in alike.items() if not {a, b} & {*pair}}
        alike |= {(n, new): _likeness(regions[n], regions[new], height * width) for n in sorted(beside)}
    return regions


def _described(image: np.ndarray, segments: np.ndarray) -> list[Merged]:
    import numpy as np
    from scipy import ndimage

    count = int(segments.max()) + 1
    bins = [np.clip((image[..., c] * COLOURS).astype(int), 0, COLOURS - 1) + c * COLOURS for c in range(3)]
    edges = []
    for c in range(3):
        down, right = (ndimage.gaussian_filter(image[..., c], 1, order=order) for order in ((1, 0), (0, 1)))
        angle = ((np.arctan2(down, right) + np.pi) / (2 * np.pi) * ANGLES).astype(int) % ANGLES
        strength = np.clip((np.hypot(down, right) * 4 * STEPS).astype(int), 0, STEPS - 1)
        edges.append((c * ANGLES + angle) * STEPS + strength)
    colour = _histograms(segments, bins, count, 3 * COLOURS)
    texture = _histograms(segments, edges, count, 3 * ANGLES * STEPS)
    sizes = np.bincount(segments.ravel(), minlength=count)
    out = []
    for k, where in enumerate(ndimage.find_objects(segments + 1)):
        rows, columns = where
        box = (columns.start, rows.start, columns.stop, rows.stop)
        out.append(Merged(int(sizes[k]), colour[k], texture[k], box))
    return out


def _histograms(segments: np.ndarray, bins: list[np.ndarray], count: int, length: int) -> np.ndarray:
    """Of each segment, with a sum of 1: (count, length)."""
    import numpy as np

    out = np.zeros(count * length)
    for values in bins:
        out += np.bincount((segments * length + values).ravel(), minlength=count * length)
    table = out.reshape(count, length)
    shares: np.ndarray = table / table.sum(1, keepdims=True)
    return shares


def _likeness(a: Merged, b: Merged, whole: int) -> float:
    """Of colour, of texture, of being small, and of filling the box about both."""
    import numpy as np

    x1, y1, x2, y2 = _around(a, b)
    fill = 1 - ((x2 - x1) * (y2 - y1) - a.size - b.size) / whole
    alike = np.minimum(a.colour, b.colour).sum() + np.minimum(a.texture, b.texture).sum()
    return float(alike + 1 - (a.size + b.size) / whole + fill)


def _joined(a: Merged, b: Merged) -> Merged:
    size = a.size + b.size
    colour, texture = ((a.size * x + b.size * y) / size for x, y in ((a.colour, b.colour), (a.texture, b.texture)))
    return Merged(size, colour, texture, _around(a, b))


def _around(a: Merged, b: Merged) -> tuple[int, int, int, int]:
    low, high = (min(a.box[i], b.box[i]) for i in (0, 1)), (max(a.box[i], b.box[i]) for i in (2, 3))
    x1, y1, x2, y2 = *low, *high
    return x1, y1, x2, y2
