"""Several classes of an example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archspec.data.feature import Feature, Remark, added, class_name, empty_classes, occurrences
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Labels(Feature):
    """The number of a class for each step of a sequence, or for each row of ``rows``: int32 of shape (steps,), and -1
    where there is none."""

    steps: Size
    classes: int | None = None
    class_names: tuple[str, ...] = ()
    is_padded: bool = False
    rows: str | None = None

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.steps,), "int32")

    @property
    def fill(self) -> float:
        return -1

    def check(self, values: object, *, is_training: bool) -> Iterator[Remark]:
        # Of objects, some classes may well be in no picture: crowds, what is difficult.
        if is_training and self.rows is None:
            yield from empty_classes(self.tally(values), "error")

    def tally(self, values: Any) -> Mapping[str, int]:
        return occurrences(values, self.classes or 0, self.class_names)

    def blended(self, other: Labels, *, is_mean: bool) -> Labels:
        if self.rows is None:
            return Feature.blended(self, other, is_mean=is_mean)
        return replace(self, steps=added(self.steps, other.steps))

    def called(self, value: Any) -> str:
        return ", ".join(class_name(self.class_names, int(number)) for number in value if number >= 0)
