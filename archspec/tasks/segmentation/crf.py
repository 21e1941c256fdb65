"""Mean field of a fully connected conditional random field over the pixels of an image (Krähenbühl and Koltun 2011)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from archspec.training.looking import Crf

EXACT = 96 * 96
"""Most pixels of which each is compared with each: the comparisons take 4 bytes, 340 MB of 96 × 96."""
ROWS = 512
"""Pixels that are compared with all others at a time, while the table of comparisons is made."""
LEAST = 1e-5
"""Least probability that is believed, as pydensecrf has it: a network that is sure may still be overruled."""
REACH = 6
"""Deviations beyond which a Gaussian is less than 2e-8 of its height."""

Filter = Callable[[np.ndarray], np.ndarray]
"""Sums over all pixels j of k(i, j) · v_j, float32 of shape (height, width, any) → the same."""


def dense_crf(probabilities: np.ndarray, colours: np.ndarray, crf: Crf) -> np.ndarray:
    """Probabilities of classes at pixels once each pixel heard all others: the mean field, after some iterations, of
    the energy Σ -log p_i(x_i) + Σ_{i<j} [x_i ≠ x_j] (a · k_a(i, j) + s · k_s(i, j)), where k_a is a Gaussian of places
    and colours, k_s one of places. Kernels are normalised symmetrically, k / √(Σ_i k · Σ_j k), and a pixel hears
    itself, as in pydensecrf (``docs/decisions/0080``).

    ``probabilities`` has the shape (height, width, classes), ``colours`` (height, width, channels) in 0 … 255.
    Returns float32 of the shape of ``probabilities``.
    """
    given = np.log(np.clip(probabilities, LEAST, 1).astype(np.float32))
    height, width = given.shape[:2]
    kernels: list[tuple[float, Filter]] = []
    if crf.appearance:
        make = exact if height * width <= EXACT else lattice
        kernels.append((crf.appearance, normalised(make(features(colours, crf)), (height, width))))
    if crf.smoothness:
        kernels.append((crf.smoothness, normalised(gaussian(crf.smoothness_xy), (height, width))))
    found = _softmax(given)
    for _ in range(crf.iterations):
        scores = given.copy()
        for weight, kernel in kernels:
            scores += np.float32(weight) * kernel(found)
        found = _softmax(scores)
    return found


def features(colours: np.ndarray, crf: Crf) -> np.ndarray:
    """Places and colours in units of their deviations, float32 of shape (height, width, 2 + channels): the kernel of
    two pixels is exp(-|f_i - f_j|² / 2)."""
    height, width = colours.shape[:2]
    # x before y, as pydensecrf has them: what the lattice leaves out depends on their order.
    y, x = np.indices((height, width))
    places = np.stack([x, y], -1) / crf.appearance_xy
    return np.concatenate([places, colours / crf.appearance_rgb], -1).astype(np.float32)


def normalised(kernel: Filter, size: tuple[int, int]) -> Filter:
    """A kernel over the roots of its sums at both pixels."""
    scale = 1 / np.sqrt(kernel(np.ones((*size, 1), np.float32)) + np.float32(1e-20))
    return lambda values: scale * kernel(scale * values)


def gaussian(deviation: float) -> Filter:
    """A Gaussian of places, deviation in pixels, one axis after the other."""
    reach = int(np.ceil(REACH * deviation))
    weights = np.exp(-((np.arange(-reach, reach + 1) / deviation) ** 2) / 2)

    def kernel(values: np.ndarray) -> np.ndarray:
        for axis in (0, 1):
            most = values.shape[axis] - 1
            some = weights[reach - most : reach + most + 1] if most < reach else weights
            values = ndimage.correlate1d(values, some, axis, mode="grid-constant")
        return values

    return kernel


def exact(features: np.ndarray) -> Filter:
    """Each pixel compared with each."""
    flat = features.reshape(-1, features.shape[-1])
    # Squares of numbers near to each other are subtracted: from their mean they are small.
    flat = flat - flat.mean(0)
    halves = (flat**2).sum(1) / 2
    table = np.empty((len(flat), len(flat)), np.float32)
    for first in range(0, len(flat), ROWS):
        rows = table[first : first + ROWS]
        np.matmul(flat[first : first + ROWS], flat.T, out=rows)
        rows -= halves[first : first + ROWS, None]
        rows -= halves
        np.exp(np.minimum(rows, 0, out=rows), out=rows)

    def kernel(values: np.ndarray) -> np.ndarray:
        found: np.ndarray = table @ values.reshape(len(table), -1)
        return found.reshape(values.shape)

    return kernel


def lattice(features: np.ndarray) -> Filter:
    """The same, nearly: on the permutohedral lattice (Adams, Baek and Davis 2010). Each pixel is spread over the
    corners of the simplex that it lies in, the corners are blurred along each axis of the lattice, and each pixel is
    read off where it lies. Time and memory grow with the number of pixels alone."""
    d = features.shape[-1]
    corner, share = _simplices(features.reshape(-1, d))
    low = corner.min((0, 1)) - (d + 1)
    base = np.cumprod([1, *(corner.max((0, 1)) - low + d + 2)[:-1]])
    packed = (corner - low) @ base
    keys, at = np.unique(packed, return_inverse=True)
    at = at.reshape(packed.shape)
    beside = []
    for axis in range(d + 1):
        # One step along an axis: d there, -1 elsewhere; the last coordinate follows from the others.
        step = -np.ones(d, np.int64)
        if axis < d:
            step[axis] = d
        ahead = int(step @ base)
        beside.append([_places(keys, keys + ahead), _places(keys, keys - ahead)])

    def kernel(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(len(at), -1)
        # The last row is of no corner, and stays 0.
        held = np.zeros((len(keys) + 1, flat.shape[1]), np.float32)
        for k in range(flat.shape[1]):
            spread = np.bincount(at.reshape(-1), (share * flat[:, k, None]).reshape(-1), len(keys))
            held[:-1, k] = spread
        for before, behind in beside:
            held[:-1] += (held[before] + held[behind]) / 2
        out = np.zeros_like(flat)
        for k in range(d + 1):
            out += share[:, k, None] * held[at[:, k]]
        return (out / np.float32(1 + 2.0**-d)).reshape(values.shape)

    return kernel


def _simplices(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of the simplex of the lattice that each of n points of d numbers lies in, int64 (n, d + 1, d), and
    the weights of each, (n, d + 1) float32, whose sum is 1."""
    n, d = points.shape
    # Blurring by (1, 2, 1) / 2 along d + 1 axes has the deviation √(2/3) · (d + 1) of what the lattice is made of.
    scaled = points.astype(np.float64) * np.sqrt(2 / 3) * (d + 1) / np.sqrt(np.arange(1, d + 1) * np.arange(2, d + 2))
    tail = np.concatenate([np.cumsum(scaled[:, ::-1], 1)[:, ::-1], np.zeros((n, 1))], 1)
    high = tail.copy()
    high[:, 1:] -= np.arange(1, d + 1) * scaled
    nearest = np.rint(high / (d + 1)).astype(np.int64)
    over = nearest.sum(1, keepdims=True)
    left = high - nearest * (d + 1)
    rank = np.empty((n, d + 1), np.int64)
    np.put_along_axis(rank, np.argsort(-left, 1, kind="stable"), np.arange(d + 1)[None], 1)
    rank += over
    wrapped = np.where(rank < 0, 1, np.where(rank > d, -1, 0))
    rank += wrapped * (d + 1)
    nearest += wrapped
    left = (high - nearest * (d + 1)) / (d + 1)
    weights = np.zeros((n, d + 2))
    rows = np.arange(n)[:, None]
    weights[rows, d - rank] += left
    weights[rows, d + 1 - rank] -= left
    weights[:, 0] += 1 + weights[:, d + 1]
    k = np.arange(d + 1)[None, :, None]
    corner = nearest[:, None, :d] * (d + 1) + k - np.where(rank[:, None, :d] > d - k, d + 1, 0)
    return corner, weights[:, : d + 1].astype(np.float32)


def _places(keys: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where sorted keys have others; behind the last where they do not."""
    found = np.searchsorted(keys, wanted)
    return np.where(keys[np.minimum(found, len(keys) - 1)] == wanted, found, len(keys))


def _softmax(scores: np.ndarray) -> np.ndarray:
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    out: np.ndarray = scores / scores.sum(-1, keepdims=True)
    return out
