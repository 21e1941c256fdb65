"""What the numbers of a tensor are, beyond their shape and dtype."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Meaning(NamedTuple):
    """``anchors``, their ``cells`` and ``objects`` are boxes, and ``deltas`` say how the last lie from the first;
    ``classes`` are numbers of classes, of which there are ``classes``, a background among them; ``places`` are
    positions in a plane of ``sizes``, counted along its rows."""

    kind: Literal["anchors", "cells", "objects", "deltas", "classes", "places"]
    classes: int | None = None
    sizes: tuple[int | None, ...] = ()


Meanings = tuple[Meaning | None, ...]
"""What each of several tensors is; None where nothing is known."""
