"""Features of an image that are computed by rule, from the directions in which it becomes brighter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.tensors import TensorSpec
from archspec.ops.arguments import PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras


class Hog(Op, name="hog", main="cell"):
    """Histograms of oriented gradients (Dalal and Triggs 2005): of each cell how much of the gradient lies in which
    direction, normalised over blocks of cells. (height, width, channels) to (rows, columns, block · block ·
    orientations), a row and a column for each place of a block, which are one cell apart; a block's cells come row by
    row.

    As scikit-image's ``hog``: central differences, 0 at the image's border; of several channels the one of the largest
    gradient counts; its length goes into one of ``orientations`` bins from 0 to 180 degrees, and a cell has the mean
    over its pixels. Blocks have length 1, no number above 0.2, and then length 1 again (L2-Hys). Pixels that fill no
    cell are left out. No gradient goes through it.
    """

    stops_gradient = True

    cell: PositiveInt = 8
    """Pixels on each side of a cell."""
    block: PositiveInt = 2
    """Cells on each side of a block."""
    orientations: Annotated[int, Field(ge=1, le=360)] = 9
    """Bins from 0 to 180 degrees."""

    masked = refused

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "hog")
        if x.rank != 3:
            raise OpError(f"hog needs an image (height, width, channels), got {x}")
        known_channels(x, "hog")
        if None in x.shape:
            raise OpError(f"hog needs an image of known size, got {x}")
        sizes = tuple((n or 0) // self.cell - self.block + 1 for n in x.spatial)
        if min(sizes) < 1:
            needed = self.cell * self.block
            raise OpError(
                f"hog: {x} holds no block of {self.block} × {self.block} cells of {self.cell} pixels",
                argument="cell",
                help=f"an image of at least {needed} × {needed}, or smaller cells",
            )
        return TensorSpec((*sizes, self.block**2 * self.orientations))

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """8 for each number of the image; 5, and 1 for each orientation, for each pixel; 8 for each number of the
        output"""
        pixels = x.size // (x.channels or 1)
        return 8 * x.size + (5 + self.orientations) * pixels + 8 * out.size

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """the length of each gradient; of each pixel the direction; two lengths of each block"""
        blocks = out.size // (out.channels or 1)
        return x.size + x.size // (x.channels or 1) + 2 * blocks

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.gradients import HistogramsOfGradients

        return HistogramsOfGradients(cell=self.cell, block=self.block, orientations=self.orientations)
