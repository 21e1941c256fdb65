"""What archspec counts. This is the only definition; the rules of the ops and every table follow it.

Per sample, for inference, unless a table says otherwise.

MACs
    Multiply-accumulates of contractions: convolution and dense kernels, recurrent gates (all steps), and the two
    matrix products of attention (QKᵀ and AV; causal masks do not halve them). A transposed convolution counts its
    kernel at each *input* position. Bias, normalisation, activation and pooling are not MACs. Taps that fall on padding
    count (the nominal convention of papers, torch and TensorFlow).
FLOPs
    2 · MACs + one for each elementwise addition, subtraction, multiplication, division, comparison or maximum.
    What depends on numbers, such as which boxes suppress which, counts as the most that it can be.
Transcendentals
    exp, log, tanh, erf, sqrt, rsqrt, pow, sin: one each, in a column of their own and not in FLOPs (as XLA counts).
Data movement
    Reshape, slice, concat, pad, gather, embedding look-up, nearest upsampling and dropout at inference: 0.
Parameters
    ``params`` is every weight, batch normalisation's moving statistics among them (Keras's total);
    ``trainable_params`` those that training changes (torch's ``numel`` of parameters). A weight used by several nodes
    counts once, with the first; its MACs count at every use.
In bounds
    MACs and FLOPs without the taps that fall on padding that a convolution adds itself, or on what a transposed one
    crops: what a compiler need not multiply. Padding that is a step of its own (``pad``) is data like any other.
Backward
    The MACs of the gradients: as many again by the weights, and as many by the inputs where those are needed, which
    they are not before the first trainable weight. The optimiser's own work and elementwise operations are not among
    them.
Bytes
    Each tensor once: what an op reads of its inputs, what it writes, and its weights, by the types of the numbers; of a
    table of embeddings the rows that are looked up. Views move nothing. Arithmetic intensity is FLOPs by these bytes.
Activations
    Elements of the outputs of all nodes that compute or move data; views (flatten, reshape, dropout) are not counted.

G is 10⁹ and M is 10⁶. A count that depends on a size the text leaves open is None, never a guess. An op that does not
say what it costs makes every total a lower bound, which is marked by ≥ and its name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """Counts for one node or a total, as the module docstring defines them; None where a size is open."""

    macs: int | None = 0
    flops: int | None = 0
    transcendentals: int | None = 0
    activations: int | None = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            _sum(self.macs, other.macs),
            _sum(self.flops, other.flops),
            _sum(self.transcendentals, other.transcendentals),
            _sum(self.activations, other.activations),
        )

    def times(self, n: int) -> Cost:
        """The cost of ``n`` samples."""
        return Cost(
            *(None if v is None else v * n for v in (self.macs, self.flops, self.transcendentals, self.activations))
        )


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b
