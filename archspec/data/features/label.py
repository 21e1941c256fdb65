"""The class of an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.data.feature import Feature, class_name
from archspec.ir.tensors import TensorSpec


@dataclass(frozen=True, slots=True)
class Label(Feature):
    """The number of one class, int32; or, where examples were mixed, a share of each, float32 of shape (classes,)."""

    classes: int | None = None
    class_names: tuple[str, ...] = ()
    is_mixed: bool = False

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.classes,)) if self.is_mixed else TensorSpec((), "int32")

    def called(self, value: Any) -> str:
        return class_name(self.class_names, int(value.argmax() if self.is_mixed else value))
