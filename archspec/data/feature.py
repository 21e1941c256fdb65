"""What one named part of an example is.

A feature's kind says what a part's numbers mean: how they move with the image, what fills up what is missing, what a
person calls a value. The kinds are a closed set, one a module of ``archspec/data/features``; a prediction is made of
the same kinds as an example. What happens to a feature is written once, there, and nowhere by a part's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from archspec.data.errors import DataError
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from archspec.data.canvas import Canvas
    from archspec.data.motion import Motion
    from archspec.data.region import Region


class Remark(NamedTuple):
    """One thing about the values of a feature. ``error`` is what training would stop at, ``note`` what to know."""

    severity: Literal["error", "note"]
    kind: str
    """What such things are counted by."""
    where: int | str
    """The position of an example, or what a part of the feature is called: a class, a number."""
    message: str


class Feature:
    """Base of all kinds, which are frozen dataclasses. Fields are what is known without reading an example."""

    __slots__ = ()

    is_placed: ClassVar[bool] = False
    """True where the values lie in the image, and follow it: pixels of their own, or coordinates of its pixels."""
    is_padded: bool = False
    """True where examples differ in length, and still stand in one batch: each is filled up with ``fill`` at its end,
    to the longest there."""
    rows: str | None = None
    """The axis that the first one is, where features share it (``object``): what drops a row of one drops that of
    all."""

    if TYPE_CHECKING:

        @property
        def spec(self) -> TensorSpec:
            """The tensor, without a batch axis; None for a size that varies."""

    @property
    def fill(self) -> float:
        """The value that stands where there is none: beyond an end, outside of an image, in a row that was dropped."""
        return 0

    def resized(self, size: Sequence[Size]) -> Self:
        """The same once the image has another height and width."""
        return self

    def move(self, value: tf.Tensor, motion: Motion) -> tf.Tensor:
        """A batch of values after the images moved."""
        return value

    def kept(self, value: tf.Tensor, motion: Motion) -> tf.Tensor | None:
        """Which rows, bool of shape (batch, rows), are still to be seen after a motion of ``value``; None for all."""
        return None

    def blended(self, other: Self, *, is_mean: bool) -> Self:
        """The same once two examples are one; ``is_mean`` where pixels are means of both, and not each of one of them.
        Raises DataError where the kind has no such thing."""
        raise DataError("cannot be mixed with that of another example")

    def blend(self, first: tf.Tensor, second: tf.Tensor, region: Region) -> tf.Tensor:
        """The values of two batches of examples of which each two become one, where ``blended`` allows that. By default
        the rows of both, those of the second behind those of the first."""
        import tensorflow as tf

        return tf.concat([first, second], 1)

    def shown(self, value: tf.Tensor, region: Region) -> tf.Tensor | None:
        """Which rows, bool of shape (batch, rows), are still to be seen where of an image only a region's first part is
        left; None for all."""
        return None

    def check(self, values: Any, *, is_training: bool) -> Iterator[Remark]:
        """What a person should know of the values of all examples of a split (a NumPy array, examples first);
        ``is_training`` where these are what is learnt from."""
        if values.dtype.kind == "f":
            import numpy as np

            finite = np.isfinite(values.reshape(len(values), -1)).all(1)
            yield from (
                Remark("error", "not a number", int(i), "holds NaN or infinity") for i in np.flatnonzero(~finite)
            )

    def tally(self, values: object) -> Mapping[str, int]:
        """In how many of the values, as ``check`` gets them, each class occurs, by what a person calls it; empty where
        the kind has none."""
        return {}

    def draw(self, canvas: Canvas, value: object, classes: Sequence[int] | None = None) -> None:
        """Draw a value (a NumPy array, without a batch axis) on the picture of its image; ``classes`` are those of its
        rows, where they have such. Only what ``is_placed`` is drawn."""

    def called(self, value: object) -> str:
        """What a person calls a value (a NumPy array, without a batch axis)."""
        return str(value)


def occurrences(values: np.ndarray, classes: int, names: Sequence[str]) -> dict[str, int]:
    """In how many of the values, examples first, each class occurs, by what a person calls it."""
    flat = values.reshape(len(values), -1)
    return {class_name(names, i): int((flat == i).any(1).sum()) for i in range(classes)}


def class_name(names: Sequence[str], number: int) -> str:
    """The name of a class, or its number where it has none."""
    return names[number] if 0 <= number < len(names) else str(number)


def constant(values: Any) -> Iterator[Remark]:
    """Examples that are one value everywhere, where they have several."""
    import numpy as np

    flat = values.reshape(len(values), -1)
    if flat.shape[1] > 1:
        for i in np.flatnonzero(flat.min(1) == flat.max(1)):
            yield Remark("note", "one value only", int(i), f"is {flat[i, 0]} everywhere")


def empty_classes(counts: Mapping[str, int], severity: Literal["error", "note"]) -> Iterator[Remark]:
    """Classes that do not occur."""
    return (Remark(severity, "class without examples", name, "is empty") for name, count in counts.items() if not count)


def added(first: Size, second: Size) -> Size:
    """Rows of two examples together; None where either varies."""
    return None if first is None or second is None else first + second
