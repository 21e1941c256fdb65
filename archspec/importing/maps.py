"""Networks whose every result is a map of channels, or one row of numbers, as those of Darknet and Caffe are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.importing.network import ReadNetwork
from archspec.ir.diagnostics import Span
from archspec.writing.draft import Draft

if TYPE_CHECKING:
    import numpy as np

Reading = Callable[[], "np.ndarray"]


@dataclass(frozen=True, slots=True)
class MapResult:
    """What a layer gives: its name in the draft, and height, width and channels. A vector has no place but one."""

    name: str
    height: int
    width: int
    channels: int
    is_vector: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a step's output."""
        return (self.channels,) if self.is_vector else (self.height, self.width, self.channels)

    @property
    def places(self) -> tuple[int, int, int] | None:
        """Height, width and channels of a map; None of a vector."""
        return None if self.is_vector else (self.height, self.width, self.channels)

    def __str__(self) -> str:
        return "×".join(map(str, self.shape))


class MapReader:
    """Adds steps to a network, with the sizes that its own program gives to their outputs."""

    def __init__(self, name: str):
        self.network = ReadNetwork(Draft(name))

    def step(self, step: dict[str, Any], taken: list[MapResult], at: Span, out: MapResult) -> MapResult:
        """Add a step that gives ``out``."""
        return replace(out, name=self.network.add(step, [r.name for r in taken], at, out.shape))

    def vector(self, x: MapResult, at: Span) -> MapResult:
        """A result as one row of numbers."""
        if x.is_vector:
            return x
        return self.step({"flatten": None}, [x], at, MapResult("", 1, 1, x.height * x.width * x.channels, True))

    def map(self, x: MapResult, at: Span) -> MapResult:
        """A result with height and width."""
        if not x.is_vector:
            return x
        return self.step({"reshape": {"shape": [1, 1, x.channels]}}, [x], at, replace(x, is_vector=False))


def turned(read: Reading, groups: int | None = None) -> Reading:
    """A kernel with out and in first as Keras has it: in last but one and out last; of a depthwise one, whose input
    channels are ``groups``, in and multiplier last."""

    def kernel() -> np.ndarray:
        array = read()
        if groups is not None:
            return array.reshape(groups, -1, *array.shape[2:]).transpose(2, 3, 0, 1)
        return array.transpose(2, 3, 1, 0)

    return kernel


def rows_moved(read: Reading, places: tuple[int, int, int] | None) -> Reading:
    """The kernel (out, in) of a dense layer as Keras has it; behind a map of ``places`` its rows follow the elements,
    whose channels are first there and last here."""

    def kernel() -> np.ndarray:
        array = read()
        if places is not None:
            height, width, channels = places
            array = array.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(array.shape)
        return array.T

    return kernel
