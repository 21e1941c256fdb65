"""Several classes of an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.data.feature import Feature, class_name
from archspec.ir.tensors import Size, TensorSpec


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

    def called(self, value: Any) -> str:
        return ", ".join(class_name(self.class_names, int(number)) for number in value if number >= 0)
