"""Sequences as such: what counts of them, and the sentence model of Kalchbrenner et al. 2014.

Its wide convolution, one filter per row of the sentence matrix, is a convolution in groups: with rows as channels
``conv: {filters: 48, kernel: 7, padding: 6, groups: 48}`` slides a filter of its own along each of 48 rows and gives 7
- 1 steps more than there were. Several maps of a row lie side by side, row after row: 288 filters are 6 maps of each
row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archspec.ir.tensors import Size, TensorSpec, elements
from archspec.ops.arguments import Number, PositiveInt
from archspec.ops.base import Op, OpError
from archspec.ops.masks import consumed, refused
from archspec.ops.reach import each_position
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras


class Mask(Op, name="mask", main="value"):
    """Leaves out the steps of (time, channels) whose channels all have one value, as ``embedding: {mask_zero: true}``
    leaves out zeros: what follows skips them, and they become zero."""

    convention = "elementwise"

    value: Number = 0.0
    """What padding consists of."""

    marks_padding = True
    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "mask")
        if x.rank < 2:
            raise OpError(f"mask needs an input of (time, channels), got {x}")
        return x

    def masked(self, covered: tuple[int, ...], x: TensorSpec) -> int:
        if covered[0]:
            raise OpError("mask would replace the mask that there is, whose padding would count", help="leave one out")
        return x.rank - 1

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """2 · out.size (a comparison and a product)"""
        return 2 * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Masking(self.value)


class KMaxPool(Op, name="k_max_pool", main="k"):
    """The ``k`` largest values of every channel over time, in the order in which they stand (Kalchbrenner et al. 2014,
    §3.3); of equal ones the first.

    With ``layer`` and ``layers`` k is dynamic (§3.4): max(k, ⌈(layers - layer) / layers · s⌉), s the steps of the
    ``sentence``, padding included: ``from: {x: prev, sentence: words}``. Steps that a mask leaves out are never among
    them; where fewer than k are left, zeros fill the end.
    """

    convention = "image"

    k: PositiveInt
    """Values that are kept; with ``layer`` and ``layers`` the fewest (the paper's k_top)."""
    layer: PositiveInt = 1
    """Which of the convolution layers this follows, from 1."""
    layers: PositiveInt = 1
    """Number of convolution layers; after the last, k values are kept whatever the sentence."""

    def infer(self, x: TensorSpec, sentence: TensorSpec | None = None) -> TensorSpec:
        floating(x, "k_max_pool")
        if x.rank != 2:
            raise OpError(f"k_max_pool needs an input of (time, channels), got {x}")
        if self.layer > self.layers:
            raise OpError(f"k_max_pool: there is no layer {self.layer} of {self.layers}", argument="layer")
        if self.layer < self.layers and sentence is None:
            raise OpError(
                f"k_max_pool: k depends on the sentence in layer {self.layer} of {self.layers}",
                argument="layers",
                help="from: {x: prev, sentence: …}",
            )
        if sentence is not None and not sentence.shape:
            raise OpError(f"k_max_pool: a sentence has steps, got {sentence}")
        kept = self._kept(sentence)
        if kept is not None and x.shape[0] is not None and kept > x.shape[0]:
            raise OpError(f"k_max_pool: {kept} of {x.shape[0]} steps", argument="k")
        return TensorSpec((kept, x.shape[-1]))

    def masked(self, covered: tuple[int, ...], x: TensorSpec, sentence: TensorSpec | None = None) -> int:
        """None goes on. A dynamic k counts the sentence's padding, and so refuses masks."""
        rule = consumed if self.layer == self.layers else refused
        return int(rule(self, covered, x))

    def flops(self, out: TensorSpec, x: TensorSpec, sentence: TensorSpec | None = None) -> int:
        """channels · (k · (steps - 1) - k · (k - 1) / 2): the comparisons of k passes, each over what the last left"""
        kept, steps, channels = elements(out.shape[:1]), elements(x.shape[:1]), known_channels(x, "k_max_pool")
        return channels * (kept * (steps - 1) - kept * (kept - 1) // 2)

    def lower(self, x: TensorSpec, sentence: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.sequence import KMaxPooling

        return KMaxPooling(self.k, self.layer, self.layers)

    def _kept(self, sentence: TensorSpec | None) -> Size:
        if sentence is None or self.layer == self.layers:
            return self.k
        steps = sentence.shape[0]
        return None if steps is None else max(self.k, -(-(self.layers - self.layer) * steps // self.layers))


class Folding(Op, name="folding", main="maps"):
    """Sums every two neighbouring rows, map by map (Kalchbrenner et al. 2014, §3.5)."""

    saves = "nothing"
    convention = "channelwise"

    maps: PositiveInt = 1
    """Channels of a row: the channels are rows of that many, one after the other."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "folding")
        channels = known_channels(x, "folding")
        if channels % (2 * self.maps):
            raise OpError(f"folding: {channels} channels are no pairs of rows of {self.maps}", argument="maps")
        return TensorSpec((*x.spatial, channels // 2))

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.sequence import Folding

        return Folding(self.maps)
