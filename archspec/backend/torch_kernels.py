"""Kernels that modules of PyTorch compute from what they keep: weight and spectral normalisation, pruning.

A spec may have the normalisation, and takes its parts; or it has the layer alone, and takes the kernel that an
evaluation computes from them. Either is of ``torch.nn.utils`` or of ``torch.nn.utils.parametrizations``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from archspec.backend.archive import Stored, StoredLayer, WeightsError
from archspec.backend.layouts import label, stored_label
from archspec.ops.peers import lengths

if TYPE_CHECKING:
    import numpy as np

    from archspec.backend.rules import Rules

LENGTHS = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))
"""Names of lengths and directions of a kernel with weight normalisation."""
QUOTIENTS = (
    ("weight_orig", "weight_u", "weight_v"),
    ("parametrizations.weight.original", "parametrizations.weight.0._u", "parametrizations.weight.0._v"),
)
"""Names of a kernel with spectral normalisation and of its singular vectors, of what is written and of what is read."""
PRUNED = (("weight_orig", "weight_mask"),)
"""Names of a kernel that is pruned, and of what is left of it."""
CONVERGED = 1e-6
"""Largest relative error of a singular value that is taken for the file's."""
ALONG = 0.9
"""Least cosine of what a kernel makes of one of its singular vectors and of the other."""


def computed(
    layers: Sequence[StoredLayer], wanted: Sequence[Mapping[str, tuple[int, ...]]], rules: Rules | None = None
) -> list[StoredLayer]:
    """The layers with each such module as one: with its parts where a wanted one has them, else with its kernel."""
    by_name = {stored.name: stored for stored in layers}
    found: dict[str, _Module] = {}
    for kind, spellings in ((_Lengths, LENGTHS), (_Quotient, QUOTIENTS), (_Pruned, PRUNED)):
        for names in spellings:
            for stored in layers:
                module = stored.name.removesuffix(names[0])
                parts = [by_name.get(f"{module}{name}") for name in names]
                if module == stored.name or (module and not module.endswith(".")) or None in parts:
                    continue
                arrays = [part.arrays["weight"] for part in parts if part is not None]
                of = kind(module.removesuffix("."), by_name.get(module.removesuffix(".")), *arrays)
                found |= {part.name: of for part in parts if part is not None}
                if of.beside is not None:
                    found[of.name] = of
    out: dict[int, StoredLayer] = {}
    for stored in layers:
        module_ = found.get(stored.name)
        out[id(module_ or stored)] = stored if module_ is None else module_.layer(wanted, rules)
    return list(out.values())


class _Module:
    """A module with such a kernel, and what it keeps besides, its bias."""

    def __init__(self, name: str, beside: StoredLayer | None, *parts: Stored):
        self.name, self.beside, self.parts = name, beside, parts

    @property
    def kernel(self) -> Stored:
        """What an evaluation computes. Raises WeightsError where that is not known."""
        raise NotImplementedError

    def kept(self, is_unchecked: bool) -> dict[str, Stored]:
        """The parts under the roles that an op has for them."""
        raise NotImplementedError

    def layer(self, wanted: Sequence[Mapping[str, tuple[int, ...]]], rules: Rules | None) -> StoredLayer:
        """One layer, of a wanted one's shapes if it has the parts."""
        beside = {} if self.beside is None else dict(self.beside.arrays)
        kept = StoredLayer(self.name, beside | self.kept(rules is not None and rules.is_unchecked(self.name)))
        labels = [label(shapes.items(), "torch") for shapes in wanted]
        if stored_label(kept, "torch") in labels:
            return kept
        turned = {lengths(k): lengths(1 - k) for k in range(2)}
        other = StoredLayer(self.name, {turned.get(role, role): array for role, array in kept.arrays.items()})
        if other.arrays.keys() != kept.arrays.keys() and stored_label(other, "torch") in labels:
            raise WeightsError(
                f"{self.name!r} of the file has a length for each channel that it reads, weight_norm one for each that "
                "it writes (dim=1 of PyTorch's for a transposed convolution): write the layer without weight_norm"
            )
        return StoredLayer(self.name, {"weight": self.kernel} | beside)


class _Lengths(_Module):
    """g · v / ‖v‖, with a length for every place along the axes that g has."""

    def kept(self, is_unchecked: bool) -> dict[str, Stored]:
        g, v = self.parts
        # Of a kernel with one output it is the axis of extent 1.
        along = [k for k, n in enumerate(g.shape) if n == v.shape[k] and n == max(g.shape)]
        if not along or max(g.shape) != prod(g.shape):
            return {}
        return {lengths(along[0]): Stored((max(g.shape),), lambda: g.read().reshape(-1)), "weight_v": v}

    @property
    def kernel(self) -> Stored:
        lengths, directions = self.parts

        def read() -> np.ndarray:
            import numpy as np

            v = directions.read().astype("float64")
            over = tuple(axis for axis in range(v.ndim) if not lengths.shape or lengths.shape[axis] == 1)
            length = np.sqrt(np.square(v).sum(over, keepdims=True))
            kernel: np.ndarray = (v * (lengths.read() / length)).astype("float32")
            return kernel

        return Stored(directions.shape, read)


class _Pruned(_Module):
    """The kernel times a mask of zeros and ones; no op has these parts."""

    def kept(self, is_unchecked: bool) -> dict[str, Stored]:
        return {}

    @property
    def kernel(self) -> Stored:
        kernel, mask = self.parts

        def read() -> np.ndarray:
            left: np.ndarray = kernel.read() * mask.read()
            return left

        return Stored(kernel.shape, read)


class _PowerIteration(NamedTuple):
    """A kernel that is divided by a singular value, as a matrix of what is written by what is read."""

    kernel: np.ndarray
    matrix: np.ndarray
    u: np.ndarray
    v: np.ndarray

    @property
    def value(self) -> float:
        """The singular value that the file's network divides by."""
        return float(self.u @ self.matrix @ self.v)

    @property
    def next(self) -> float:
        """The one that is found from what is written by a step of the power iteration, as the op does."""
        import numpy as np

        v = self.u @ self.matrix
        return float(np.linalg.norm(self.matrix @ (v / np.linalg.norm(v))))


class _Quotient(_Module):
    """A kernel by its largest singular value, which is told from two vectors."""

    def kept(self, is_unchecked: bool) -> dict[str, Stored]:
        kernel, u, _ = self.parts

        def read() -> np.ndarray:
            found = self._read()
            if not is_unchecked and abs(found.next / found.value - 1) > CONVERGED:
                raise WeightsError(
                    f"{self.name!r} of the file divides its kernel by {found.value:.7g}, its vectors being those of "
                    f"the training's last step; spectral_norm here would by {found.next:.7g}. Write the layer without "
                    "spectral_norm, which then has the kernel that the file's network uses, or state in rules that "
                    f"this difference is meant\n  unchecked: [{self.name}]"
                )
            return found.u.astype("float32")

        return {"weight_orig": kernel, "weight_u": Stored(u.shape, read)}

    @property
    def kernel(self) -> Stored:
        return Stored(self.parts[0].shape, self._divided)

    def _divided(self) -> np.ndarray:
        found = self._read()
        return (found.kernel / found.value).astype("float32")

    def _read(self) -> _PowerIteration:
        import numpy as np

        kernel, u, v = (part.read().astype("float64") for part in self.parts)
        found = [
            _PowerIteration(kernel, np.moveaxis(kernel, axis, 0).reshape(u.size, -1), u, v)
            for axis in range(min(kernel.ndim, 2))
            if (kernel.shape[axis], kernel.size // kernel.shape[axis]) == (u.size, v.size)
        ]
        if len(found) > 1:  # as much is written as read: the vectors say which is which
            found = [read for read in found if read.value > ALONG * float(np.linalg.norm(read.matrix @ v))]
        if len(found) != 1 or not found[0].value > 0:
            raise WeightsError(f"the vectors that {self.name!r} of the file keeps are not those of its kernel")
        return found[0]
