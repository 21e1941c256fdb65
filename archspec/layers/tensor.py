"""How layers' signatures name tensors and shapes: Keras has no public type that its backends share."""

from typing import Any

Tensor = Any
Shape = tuple[int | None, ...]
