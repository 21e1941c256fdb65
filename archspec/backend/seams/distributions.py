"""How a distribution of Keras's divides data among devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def with_data_layout(kind: type[Any], layout: Callable[[Any, Any], Any]) -> type[Any]:
    """``kind`` of distribution with data laid out by ``layout(mesh, shape)``, not all by the first axis."""
    return type(kind.__name__, (kind,), {"get_data_layout": lambda self, shape: layout(self.device_mesh, shape)})
