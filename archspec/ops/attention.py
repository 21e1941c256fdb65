"""Attention over sequences of (time, channels)."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import PositiveInt, Rate, Width
from archspec.ops.base import Op, OpError
from archspec.ops.masks import of_first
from archspec.ops.meeting import divisors_of
from archspec.ops.peers import by_heads
from archspec.ops.reach import EVERYTHING, POINT, Axes, Reach
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras


class Attention(Op, name="attention", main="heads"):
    """Multi-head scaled dot-product attention with its four projections (Vaswani et al. 2017): every step of the query
    reads the steps of the value, weighted by how well their keys fit.

    ``- attention: {heads: 8, key_dim: 64}`` in a chain attends to its own input; ``from: {query: words, value:
    regions}`` to another sequence, which is its own key unless ``key`` is given. Steps of the value (or key) that a
    mask leaves out are never read; the query's mask goes on. A query with nothing to read gets the mean.
    """

    convention = "sequence"
    causal_by = "causal: true"

    heads: PositiveInt
    """Number of heads."""
    key_dim: Width | None = None
    """Channels of a query and key in a head; the query's channels divided by ``heads``, if not given."""
    value_dim: Width | None = None
    """Channels of a value in a head; ``key_dim``, if not given."""
    dim_out: Width | None = None
    """Channels of the output; the query's, if not given."""
    kv_heads: PositiveInt | None = None
    """Heads of keys and values, shared by groups of query heads (grouped-query attention, Ainslie et al. 2023); divides
    ``heads``; 1 is multi-query attention."""
    bias: bool = True
    """Add biases in the projections."""
    causal: bool = False
    """A step reads no later step. The counts are those of the whole matrix."""
    rotary: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None
    """Turn queries and keys by their positions (``rotary_position``) with this base, 10000 in the paper."""
    dropout: Rate = 0.0
    """Probability that a weight between two steps is dropped in training."""

    masked = of_first
    torch = by_heads
    torch_does_not_say = ("heads", "causal", "rotary")

    def infer(self, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None) -> TensorSpec:
        value = value or query
        key = key or value
        for what, x in (("query", query), ("value", value), ("key", key)):
            floating(x, "attention")
            known_channels(x, "attention")
            if x.rank != 2:
                raise OpError(
                    f"attention needs a {what} of (time, channels), got {x}",
                    help=None if x.rank < 2 else f"reshape: [-1, {x.shape[-1]}] makes every position a step",
                )
        if None not in (key.shape[0], value.shape[0]) and key.shape[0] != value.shape[0]:
            raise OpError(f"attention: key {key} and value {value} must have the same steps")
        if self.heads % self._kv_heads:
            message = f"attention: {self.kv_heads} kv_heads do not divide {self.heads} heads"
            raise OpError(message, argument="kv_heads", help=divisors_of(self.heads, "heads"))
        channels = known_channels(query, "attention")
        if self.key_dim is None and channels % self.heads:
            raise OpError(
                f"attention: {self.heads} heads do not divide {channels} channels",
                argument="heads",
                help=f"give key_dim, or another number of heads: {divisors_of(channels, 'channels')}",
            )
        if self.rotary is not None and self._dims(query)[0] % 2:
            raise OpError(f"attention: rotary turns pairs, key_dim is {self._dims(query)[0]}", argument="rotary")
        return TensorSpec((query.shape[0], self._dims(query)[2]))

    def is_random(self) -> bool:
        return self.dropout > 0

    def reach(self, query: TensorSpec, *read: TensorSpec) -> tuple[Axes, ...]:
        past = (Reach(inf, 0) if self.causal else EVERYTHING, EVERYTHING)
        return ((POINT, EVERYTHING), *(past,) * len(read)) if read else (past,)

    def weights(
        self, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None
    ) -> tuple[WeightSpec, ...]:
        value = value or query
        key_dim, value_dim, dim_out = self._dims(query)
        out = []
        for name, x, heads, dim in (
            ("query", query, self.heads, key_dim),
            ("key", key or value, self._kv_heads, key_dim),
            ("value", value, self._kv_heads, value_dim),
        ):
            out.append(WeightSpec(f"{name}/kernel", (known_channels(x, "attention"), heads, dim)))
            out.append(WeightSpec(f"{name}/bias", (heads, dim)))
        out.append(WeightSpec("attention_output/kernel", (self.heads, value_dim, dim_out)))
        out.append(WeightSpec("attention_output/bias", (dim_out,)))
        return tuple(w for w in out if self.bias or not w.name.endswith("/bias"))

    def macs(
        self, out: TensorSpec, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None
    ) -> int:
        """the projections at every step; heads · query steps · value steps · (key_dim + value_dim) for QKᵀ and AV"""
        key_dim, value_dim, dim_out = self._dims(query)
        asked, read = elements(query.shape[:1]), elements((value or query).shape[:1])
        output = asked * self.heads * value_dim * dim_out
        return sum(self._projections(query, value, key)) + output + self.heads * asked * read * (key_dim + value_dim)

    def backward_macs(
        self,
        needed: tuple[bool, ...],
        out: TensorSpec,
        query: TensorSpec,
        value: TensorSpec | None = None,
        key: TensorSpec | None = None,
    ) -> int:
        """twice the macs, but for the projections of inputs by which no gradient is needed"""
        asks = (*needed, *needed[-1:] * (3 - len(needed)))
        # Inputs are query, value, key; projections query, key, value.
        of_each = zip(self._projections(query, value, key), (asks[0], asks[2], asks[1]), strict=True)
        return 2 * self.macs(out, query, value, key) - sum(macs for macs, is_needed in of_each if not is_needed)

    def _projections(self, query: TensorSpec, value: TensorSpec | None, key: TensorSpec | None) -> tuple[int, int, int]:
        """MACs of the projections of query, key and value."""
        value = value or query
        key_dim, value_dim, _ = self._dims(query)
        asked, read = elements(query.shape[:1]), elements(value.shape[:1])
        channels = [known_channels(x, "attention") for x in (query, key or value, value)]
        return (
            asked * channels[0] * self.heads * key_dim,
            read * self._kv_heads * channels[1] * key_dim,
            read * self._kv_heads * channels[2] * value_dim,
        )

    def flops(
        self, out: TensorSpec, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None
    ) -> int:
        """2 · macs + the softmax over heads · query steps rows, the scale per element of the queries, the biases, and
        3 per element that rotary turns"""
        key_dim, value_dim, dim_out = self._dims(query)
        asked, read = elements(query.shape[:1]), elements((value or query).shape[:1])
        queries, keys, values = self.heads * asked * key_dim, self._kv_heads * read * key_dim, read * value_dim
        softmax = 4 * self.heads * asked * read - 2 * self.heads * asked
        biases = queries + keys + self._kv_heads * values + asked * dim_out if self.bias else 0
        rotary = 3 * (queries + keys) if self.rotary is not None else 0
        return 2 * self.macs(out, query, value, key) + softmax + queries + biases + rotary

    def transcendentals(
        self, out: TensorSpec, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None
    ) -> int:
        """heads · query steps · value steps"""
        return self.heads * elements(query.shape[:1]) * elements((value or query).shape[:1])

    def saved_within(
        self, out: TensorSpec, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None
    ) -> tuple[TensorSpec, ...]:
        """queries, keys and values of all heads, the weights between steps, and the means"""
        key_dim, value_dim, _ = self._dims(query)
        asked, read = query.shape[0], (value or query).shape[0]
        return (
            TensorSpec((asked, self.heads * key_dim)),
            TensorSpec((read, self._kv_heads * (key_dim + value_dim))),
            TensorSpec((self.heads, asked, read)),
            TensorSpec((asked, self.heads * value_dim)),
        )

    def lower(self, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.attention import Attention

        key_dim, value_dim, dim_out = self._dims(query)
        return Attention(
            heads=self.heads,
            kv_heads=self._kv_heads,
            key_dim=key_dim,
            value_dim=value_dim,
            dim_out=dim_out,
            bias=self.bias,
            causal=self.causal,
            rotary=self.rotary,
            dropout=self.dropout,
        )

    def lower_unmasked(
        self, query: TensorSpec, value: TensorSpec | None = None, key: TensorSpec | None = None
    ) -> keras.Layer | None:
        """Of a query to something else Keras has what depends on no call's arguments."""
        if value is None or self.causal or self.rotary is not None or self._kv_heads != self.heads:
            return None
        import keras

        key_dim, value_dim, dim_out = self._dims(query)
        return keras.layers.MultiHeadAttention(
            self.heads, key_dim, value_dim, self.dropout, use_bias=self.bias, output_shape=dim_out
        )

    @property
    def _kv_heads(self) -> int:
        return self.kv_heads or self.heads

    def _dims(self, query: TensorSpec) -> tuple[int, int, int]:
        """key_dim, value_dim and dim_out with their defaults."""
        channels = known_channels(query, "attention")
        key_dim = self.key_dim or channels // self.heads
        return key_dim, self.value_dim or key_dim, self.dim_out or channels


class AdditiveAttention(Op, name="additive_attention"):
    """Attention by a sum: every step of the query reads the values, weighted by softmax over the values' steps of
    Σ scale · tanh(query + key) (Bahdanau et al. 2014). All have the same channels: project them by ``dense`` first.

    Steps of the value that a mask leaves out are never read; the query's mask goes on.
    """

    convention = "sequence"

    scale: bool = True
    """Learn a factor per channel in the sum (the paper's v)."""
    dropout: Rate = 0.0
    """Probability that a weight between two steps is dropped in training."""

    masked = of_first

    def infer(self, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None) -> TensorSpec:
        key = key or value
        for what, x in (("query", query), ("value", value), ("key", key)):
            floating(x, "additive_attention")
            known_channels(x, "additive_attention")
            if x.rank != 2:
                raise OpError(f"additive_attention needs a {what} of (time, channels), got {x}")
        if query.shape[-1] != key.shape[-1]:
            raise OpError(
                f"additive_attention: query {query} and key {key} must have the same channels",
                help=f"dense: {query.shape[-1]} before it",
            )
        if None not in (key.shape[0], value.shape[0]) and key.shape[0] != value.shape[0]:
            raise OpError(f"additive_attention: key {key} and value {value} must have the same steps")
        return TensorSpec((query.shape[0], value.shape[-1]))

    def is_random(self) -> bool:
        return self.dropout > 0

    def reach(self, query: TensorSpec, *read: TensorSpec) -> tuple[Axes, ...]:
        return ((POINT, EVERYTHING), *((EVERYTHING, EVERYTHING),) * len(read))

    def weights(self, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None) -> tuple[WeightSpec, ...]:
        return (WeightSpec("scale", (known_channels(query, "additive_attention"),)),) if self.scale else ()

    def macs(self, out: TensorSpec, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None) -> int:
        """query steps · value steps · the value's channels, and the query's for the scale"""
        each = known_channels(value, "additive_attention") + (known_channels(query, "additive_attention") * self.scale)
        return _pairs(query, value) * each

    def backward_macs(
        self,
        needed: tuple[bool, ...],
        out: TensorSpec,
        query: TensorSpec,
        value: TensorSpec,
        key: TensorSpec | None = None,
    ) -> int:
        """of the means twice their macs, by the weights and by the value; of the scores by the scale, and by both"""
        means = _pairs(query, value) * known_channels(value, "additive_attention")
        scores = self.macs(out, query, value, key) - means
        return means * (1 + needed[1]) + scores * (1 + (needed[0] or needed[-1]))

    def flops(self, out: TensorSpec, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None) -> int:
        """2 · macs + the sums per pair of steps (twice the channels without scale), and the softmax"""
        pairs, channels = _pairs(query, value), known_channels(query, "additive_attention")
        softmax = 4 * pairs - 2 * elements(query.shape[:1])
        sums = pairs * (channels if self.scale else 2 * channels - 1)
        return 2 * self.macs(out, query, value, key) + sums + softmax

    def transcendentals(
        self, out: TensorSpec, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None
    ) -> int:
        """per pair of steps one for each channel and one of the softmax"""
        return _pairs(query, value) * (known_channels(query, "additive_attention") + 1)

    def saved_within(
        self, out: TensorSpec, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None
    ) -> tuple[TensorSpec, ...]:
        """tanh of the sums, and the weights between steps"""
        steps = (query.shape[0], value.shape[0])
        return TensorSpec((*steps, query.shape[-1])), TensorSpec(steps)

    def lower(self, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.attention import AdditiveAttention

        return AdditiveAttention(self.scale, self.dropout)

    def lower_unmasked(self, query: TensorSpec, value: TensorSpec, key: TensorSpec | None = None) -> keras.Layer:
        import keras

        return keras.layers.AdditiveAttention(self.scale, dropout=self.dropout)


def _pairs(query: TensorSpec, value: TensorSpec) -> int:
    return elements((query.shape[0], value.shape[0]))
