"""Text in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.data.feature import Feature, Remark, constant
from archspec.ir.tensors import Size, TensorSpec

if TYPE_CHECKING:
    from archspec.data.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Tokens(Feature):
    """Numbers of a vocabulary's tokens, int32 of shape (steps,); 0 is padding."""

    vocabulary: Vocabulary | None
    steps: Size
    is_padded: bool = False

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec((self.steps,), "int32")

    def check(self, values: object, *, is_training: bool) -> Iterator[Remark]:
        return constant(values)

    def called(self, value: Any) -> str:
        numbers = [int(number) for number in value]
        return self.vocabulary.decode(numbers) if self.vocabulary else " ".join(map(str, numbers))
