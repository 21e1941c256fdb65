"""Names with dots on PyTorch, whose modules take none for their parameters."""

from __future__ import annotations

from typing import Any


def allow_dots() -> None:
    """Let Keras's layers have names with dots, as those of nodes in blocks are. It can be called again."""
    import torch
    from keras.src.backend.torch.layer import TorchLayer

    class Paths(torch.nn.ParameterDict):
        """Parameters by the path of a Keras variable, dots and all."""

        def _key_to_attr(self, key: str) -> str:
            return str(super()._key_to_attr(key)).replace(".", "·")

    def track(self: Any) -> None:
        self._torch_params = Paths({variable.path: variable.value for variable in self.variables})

    TorchLayer._track_variables = track
