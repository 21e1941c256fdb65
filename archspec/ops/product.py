"""Products of two tensors: of matrices, and of vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.ir.tensors import TensorSpec, elements
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.reach import EVERYTHING, POINT, Axes, aligned
from archspec.ops.shapes import broadcast, floating, known_channels

if TYPE_CHECKING:
    import keras


class Matmul(Op, name="matmul"):
    """Matrix product over the last two axes of ``a`` and ``b``; the axes before them broadcast."""

    transpose_a: bool = False
    """Swap the last two axes of ``a`` first."""
    transpose_b: bool = False
    """Swap the last two axes of ``b`` first."""

    def infer(self, a: TensorSpec, b: TensorSpec) -> TensorSpec:
        for x in (a, b):
            floating(x, "matmul")
        if a.rank != b.rank or a.rank < 2:
            raise OpError(f"matmul needs two tensors of equal rank, at least two axes each, got {a} and {b}")
        (rows, inner), (other, columns) = self._matrices(a, b)
        if inner != other and inner is not None and other is not None:
            raise OpError(f"cannot matmul {a} and {b}: inner sizes {inner} and {other} differ")
        return TensorSpec((*broadcast([a.shape[:-2], b.shape[:-2]], "matmul"), rows, columns))

    def masked(self, covered: tuple[int, ...], a: TensorSpec, b: TensorSpec) -> int:
        """That of ``a``, whose steps are rows."""
        if covered[1] or self.transpose_a:
            return int(refused(self, covered, a, b))
        return covered[0]

    def reach(self, a: TensorSpec, b: TensorSpec) -> tuple[Axes, ...]:
        of_a, of_b = aligned(self, a, b)
        return (
            None if self.transpose_a else (*of_a[:-2], POINT, EVERYTHING),
            None if self.transpose_b else (*of_b[:-2], EVERYTHING, POINT),
        )

    def macs(self, out: TensorSpec, a: TensorSpec, b: TensorSpec) -> int:
        """out.size · inner size"""
        (_, inner), (other, _) = self._matrices(a, b)
        return out.size * elements((other if inner is None else inner,))

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, a: TensorSpec, b: TensorSpec) -> int:
        """macs for each operand"""
        return self.macs(out, a, b) * sum(needed)

    def lower(self, a: TensorSpec, b: TensorSpec) -> keras.Layer:
        from archspec.layers.merge import MatrixProduct

        return MatrixProduct(self.transpose_a, self.transpose_b)

    def lower_unmasked(self, a: TensorSpec, b: TensorSpec) -> keras.Layer | None:
        """Of one matrix by one other for each example Keras has the product, where the sizes summed over are known."""
        (_, inner), (other, _) = self._matrices(a, b)
        if a.rank != 2 or inner is None or other is None:
            return None
        import keras

        return keras.layers.Dot((1 if self.transpose_a else 2, 2 if self.transpose_b else 1))

    def _matrices(self, a: TensorSpec, b: TensorSpec) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        return (
            a.shape[:-3:-1] if self.transpose_a else a.shape[-2:],
            b.shape[:-3:-1] if self.transpose_b else b.shape[-2:],
        )


class Dot(Op, name="dot"):
    """Inner product of two vectors, as one channel (matching, factorisation)."""

    def infer(self, a: TensorSpec, b: TensorSpec) -> TensorSpec:
        for x in (a, b):
            floating(x, "dot")
            known_channels(x, "dot")
        if a.rank != 1 or a.shape != b.shape:
            raise OpError(f"dot needs two vectors of equal length, got {a} and {b}")
        return TensorSpec((1,))

    def macs(self, out: TensorSpec, a: TensorSpec, b: TensorSpec) -> int:
        return a.size

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, a: TensorSpec, b: TensorSpec) -> int:
        """macs for each operand"""
        return self.macs(out, a, b) * sum(needed)

    def lower(self, a: TensorSpec, b: TensorSpec) -> keras.Layer:
        import keras

        return keras.layers.Dot(1)
