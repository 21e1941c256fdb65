"""Tokens as vectors, and where they stand: (time,) integers to (time, channels), and positions of (time, channels).

``mask_zero`` marks the zeros of a sequence as padding. The mask goes with the tensor through every op that keeps the
time axis (dense, activations, normalisation, dropout, merges, recurrent ops, attention, positions) and is respected by
what sums over time (recurrent ops, attention, softmax over steps, group_norm, instance_norm, global_avg_pool,
global_max_pool, k_max_pool). What would read padding as it reads steps refuses it: convolutions, other pools, and
whatever moves the steps. Positions
count from the first step, so padding belongs at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.meaning import Meanings
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.arguments import Initializer, PositiveInt, Width
from archspec.ops.base import Op, OpError
from archspec.ops.masks import marked, of_first
from archspec.ops.reach import POINT, Axes, Reach, each_element, each_position
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras

Base = Annotated[float, Field(gt=1, allow_inf_nan=False)]


class Embedding(Op, name="embedding"):
    """A learnt vector for each of ``vocab`` integers; the inputs are 0 to vocab - 1."""

    moves_data = True
    convention = "sequence"
    entries_of = "vocab"

    vocab: Width
    """Number of vectors."""
    dim: Width
    """Channels of a vector."""
    mask_zero: bool = False
    """Mark 0 as padding, which recurrent ops, attention and pooling over time leave out."""
    trainable: bool = True
    """Learn the vectors; else they stay as they start or are loaded (static word vectors)."""
    initializer: Initializer = None
    """What the vectors are before training; ``uniform: 0.05`` if not given."""

    masked, marks_padding = marked, True
    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        _integers(x, "embedding")
        return TensorSpec((*x.shape, self.dim))

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("embeddings", (self.vocab, self.dim), self.trainable),)

    def weights_read(self, out: TensorSpec, x: TensorSpec) -> int:
        """the rows that are looked up"""
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        start = {"embeddings_initializer": self.initializer.lower()} if self.initializer else {}
        return keras.layers.Embedding(self.vocab, self.dim, mask_zero=self.mask_zero, trainable=self.trainable, **start)


class OneHot(Op, name="one_hot", main="vocab"):
    """1 in the channel that the integer names, 0 in all others."""

    moves_data = True
    convention = "sequence"
    entries_of = "vocab"

    vocab: Width
    """Number of channels; the inputs are 0 to vocab - 1."""
    mask_zero: bool = False
    """Mark 0 as padding, as ``embedding`` does."""

    masked, marks_padding = marked, True
    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        _integers(x, "one_hot")
        return TensorSpec((*x.shape, self.vocab))

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        (classes,) = given
        if classes is not None and classes.classes not in (None, self.vocab):
            raise OpError(
                f"one_hot has {self.vocab} channels, there are {classes.classes} classes",
                help=f"one_hot: {classes.classes}",
            )
        return ()

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.embedding import OneHot

        return OneHot(self.vocab, self.mask_zero)


class ReversibleEmbedding(Op, name="reversible_embedding"):
    """An embedding that is also the projection back: integers become vectors, and vectors become scores, one for each
    of ``vocab``, by the same table without a bias (Press and Wolf 2017; Vaswani et al. 2017, §3.4).

    Which it is follows from the type of the input. To tie the two, call one network twice: ``networks: {words: {body:
    [reversible_embedding: {vocab: 37000, dim: 512}]}}``.
    """

    convention = "sequence"
    entries_of = "vocab"

    vocab: Width
    """Number of vectors."""
    dim: Width
    """Channels of a vector."""
    mask_zero: bool = False
    """Mark 0 as padding, as ``embedding`` does."""

    masked, marks_padding = marked, True

    def infer(self, x: TensorSpec) -> TensorSpec:
        if "int" in x.dtype:
            return TensorSpec((*x.shape, self.dim))
        floating(x, "reversible_embedding")
        channels = known_channels(x, "reversible_embedding")
        if x.rank == 1 and channels != self.dim:
            raise OpError(
                f"reversible_embedding needs integers, or vectors of {self.dim}, got {x.dtype} {x}", of_input=True
            )
        if channels != self.dim:
            raise OpError(
                f"reversible_embedding: vectors have {channels} channels, not {self.dim}",
                argument="dim",
                help=f"dim: {channels} for such vectors",
            )
        return TensorSpec((*x.spatial, self.vocab))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        found: tuple[Axes, ...] = (each_element if "int" in x.dtype else each_position)(self, x)
        return found

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("embeddings", (self.vocab, self.dim)),)

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """0 from integers; from vectors x.size · vocab"""
        return 0 if "int" in x.dtype else x.size * self.vocab

    def weights_read(self, out: TensorSpec, x: TensorSpec) -> int | None:
        """the rows that are looked up, of integers"""
        return out.size if "int" in x.dtype else None

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.embedding import ReversibleEmbedding

        return ReversibleEmbedding(self.vocab, self.dim, self.mask_zero)


class PositionEmbedding(Op, name="position_embedding", main="length"):
    """Adds a learnt vector per position (Gehring et al. 2017; BERT, ViT)."""

    saves = "nothing"
    convention = "sequence"

    length: Width | None = None
    """Positions that have a vector: the most steps that an input may have. The input's steps, if not given."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        _sequence(x, "position_embedding")
        steps = x.shape[0]
        if self.length is None and steps is None:
            raise OpError(f"position_embedding needs a length where the time is open, got {x}", argument="length")
        if self.length is not None and steps is not None and steps > self.length:
            raise OpError(f"position_embedding: {steps} steps have only {self.length} positions", argument="length")
        return x

    def is_positional(self) -> bool:
        return True

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        length = self.length or x.shape[0]
        return (WeightSpec("embeddings", (length, known_channels(x, "position_embedding"))),)  # type: ignore[arg-type]

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.embedding import PositionEmbedding

        return PositionEmbedding(self.weights(x)[0].shape[0])


class SinusoidalPosition(Op, name="sinusoidal_position", main="base"):
    """Adds waves: sin(t / base ** (i / channels)) in every even channel i of step t, the cosine of the same angle in
    the channel after it (Vaswani et al. 2017, §3.5). The waves depend on no input and are not counted."""

    saves = "nothing"
    convention = "sequence"

    base: Base = 10000.0
    """Wavelength of the slowest wave, in units of 2π steps."""

    reach = each_element

    def infer(self, x: TensorSpec) -> TensorSpec:
        return _sequence(x, "sinusoidal_position")

    def is_positional(self) -> bool:
        return True

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        return out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.embedding import SinusoidalPosition

        return SinusoidalPosition(self.base)


class RotaryPosition(Op, name="rotary_position", main="heads"):
    """Turns each pair of neighbouring channels (2i, 2i + 1) of step t by the angle t · base ** (-2i / d), d the
    channels of a head: products of two such vectors depend on how far apart they stand (Su et al. 2021, eq. 34).

    In attention the projected queries and keys are turned: ``attention: {rotary: 10000}`` does that.
    """

    saves = "nothing"
    convention = "sequence"

    heads: PositiveInt = 1
    """Heads that lie side by side in the channels; each is turned by itself."""
    base: Base = 10000.0
    """Wavelength of the slowest pair, in units of 2π steps."""

    reach = each_position

    def infer(self, x: TensorSpec) -> TensorSpec:
        _sequence(x, "rotary_position")
        if (channels := known_channels(x, "rotary_position")) % (2 * self.heads):
            raise OpError(
                f"rotary_position: {channels} channels are no pairs for {self.heads} heads",
                argument="heads" if self.heads > 1 else None,
            )
        return x

    def is_positional(self) -> bool:
        return True

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """3 · out.size (two products and a sum)"""
        return 3 * out.size

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.embedding import RotaryPosition

        return RotaryPosition(self.heads, self.base)


class ClassToken(Op, name="class_token", main="count"):
    """Learnt steps in front of a sequence, from which the class is read later (BERT; ViT, Dosovitskiy et al. 2020).
    They start at zero."""

    moves_data = True
    convention = "sequence"

    count: PositiveInt = 1
    """Number of steps (2 with DeiT's distillation token)."""

    masked = of_first

    def infer(self, x: TensorSpec) -> TensorSpec:
        _sequence(x, "class_token")
        steps = x.shape[0]
        return TensorSpec((None if steps is None else self.count + steps, *x.shape[1:]))

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((Reach(self.count, -self.count), POINT),)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return (WeightSpec("token", (self.count, known_channels(x, "class_token"))),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        from archspec.layers.embedding import ClassToken

        return ClassToken(self.count)


def _integers(x: TensorSpec, op: str) -> None:
    if "int" not in x.dtype:
        help = "inputs: {tokens: {shape: [20], dtype: int32}}"
        raise OpError(f"{op} needs integers, got {x.dtype}", help=help, of_input=True)


def _sequence(x: TensorSpec, op: str) -> TensorSpec:
    floating(x, op)
    known_channels(x, op)
    if x.rank != 2:
        raise OpError(
            f"{op} needs an input of (time, channels), got {x}",
            help=None if x.rank < 2 else f"reshape: [-1, {x.shape[-1]}] makes every position a step",
        )
    return x
