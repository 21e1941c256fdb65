"""Attention that Keras lacks, or takes by arguments of a call."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from archspec.layers.embedding import rotated
from archspec.layers.tensor import Shape, Tensor

register = keras.saving.register_keras_serializable("archspec")


@register
class Attention(keras.Layer):
    """Multi-head attention with the weights of ``keras.layers.MultiHeadAttention``.

    Beyond it: the query may be the only input; ``causal`` and ``rotary`` are of the layer, not of the call; there may
    be fewer heads of keys and values than of queries, with values of any size; and the query keeps its mask. (Keras's
    layer takes it off, so the skip beside it goes on unmasked: Keras 3.15.)
    """

    def __init__(
        self,
        heads: int,
        kv_heads: int,
        key_dim: int,
        value_dim: int,
        dim_out: int,
        bias: bool = True,
        causal: bool = False,
        rotary: float | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.heads, self.kv_heads, self.key_dim, self.value_dim = heads, kv_heads, key_dim, value_dim
        self.dim_out, self.bias, self.causal, self.rotary, self.dropout = dim_out, bias, causal, rotary, dropout
        self.supports_masking = True

    def build(self, query_shape: Shape, value_shape: Shape | None = None, key_shape: Shape | None = None) -> None:
        value_shape = value_shape or query_shape
        key_shape = key_shape or value_shape

        def projection(name: str, heads: int, dim: int) -> keras.Layer:
            return keras.layers.EinsumDense(
                "btc,chd->bthd",
                (None, heads, dim),
                bias_axes="hd" if self.bias else None,
                name=name,
                dtype=self.dtype_policy,
            )

        self.query_dense = projection("query", self.heads, self.key_dim)
        self.query_dense.build(query_shape)
        self.key_dense = projection("key", self.kv_heads, self.key_dim)
        self.key_dense.build(key_shape)
        self.value_dense = projection("value", self.kv_heads, self.value_dim)
        self.value_dense.build(value_shape)
        self.output_dense = keras.layers.EinsumDense(
            "bthd,hdc->btc",
            (None, self.dim_out),
            bias_axes="c" if self.bias else None,
            name="attention_output",
            dtype=self.dtype_policy,
        )
        for dense in (self.query_dense, self.key_dense, self.value_dense, self.output_dense):
            # They keep the time axis; Keras would warn that they lose the mask.
            dense.supports_masking = True
        self.output_dense.build((*query_shape[:2], self.heads, self.value_dim))
        self.dropout_layer = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def call(
        self,
        query: Tensor,
        value: Tensor | None = None,
        key: Tensor | None = None,
        mask: Tensor | None = None,
        value_mask: Tensor | None = None,
        key_mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        # Keras fills ``mask`` where there is one input, ``value_mask`` and ``key_mask`` where there are more.
        value = query if value is None else value
        key = value if key is None else key
        visible = self._visible(query, value, [m for m in (mask, value_mask, key_mask) if m is not None])
        q = self.query_dense(query) * self.key_dim**-0.5
        k, v = self.key_dense(key), self.value_dense(value)
        if self.rotary is not None:
            q, k = rotated(q, self.rotary), rotated(k, self.rotary)
        # Query heads of one group (g) read the same keys and values (n).
        batch, steps = ops.shape(q)[:2]
        q = ops.reshape(q, (batch, steps, self.kv_heads, self.heads // self.kv_heads, self.key_dim))
        scores = ops.einsum("btngd,bsnd->bngts", q, k)
        if visible is not None:
            scores = kept(scores, visible[:, None, None])
        weights = self.dropout_layer(ops.softmax(scores, axis=-1), training=training)
        y = ops.einsum("bngts,bsnd->btngd", weights, v)
        return self.output_dense(ops.reshape(y, (batch, steps, self.heads, self.value_dim)))

    def _visible(self, query: Tensor, value: Tensor, masks: list[Tensor | None]) -> Tensor:
        """(batch or 1, query steps, value steps): what may be read; None for all."""
        visible = None
        for mask in masks:
            read = ops.cast(mask, "bool")[:, None, :]
            visible = read if visible is None else ops.logical_and(visible, read)
        if self.causal:
            asked, read = ops.arange(ops.shape(query)[1]), ops.arange(ops.shape(value)[1])
            past = (asked[:, None] >= read[None, :])[None]
            visible = past if visible is None else ops.logical_and(visible, past)
        return visible

    def compute_output_shape(
        self, query_shape: Shape, value_shape: Shape | None = None, key_shape: Shape | None = None
    ) -> Shape:
        return (*query_shape[:-1], self.dim_out)

    def get_config(self) -> dict[str, Any]:
        names = ("heads", "kv_heads", "key_dim", "value_dim", "dim_out", "bias", "causal", "rotary", "dropout")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@register
class AdditiveAttention(keras.Layer):
    """``keras.layers.AdditiveAttention`` called on (query, value, key), not on a list."""

    def __init__(self, scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scaled, self.dropout = scale, dropout
        self.supports_masking = True

    def build(self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None) -> None:
        self.scale = None
        if self.scaled:
            self.scale = self.add_weight(name="scale", shape=query_shape[-1:], initializer="glorot_uniform")
        self.dropout_layer = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        value_mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor:
        key = value if key is None else key
        sums = ops.tanh(query[:, :, None] + key[:, None])
        scores = ops.sum(sums if self.scale is None else self.scale * sums, axis=-1)
        if value_mask is not None:
            scores = kept(scores, ops.cast(value_mask, "bool")[:, None])
        weights = self.dropout_layer(ops.softmax(scores, axis=-1), training=training)
        return ops.matmul(weights, value)

    def compute_output_shape(self, query_shape: Shape, value_shape: Shape, key_shape: Shape | None = None) -> Shape:
        return (*query_shape[:-1], value_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scaled, "dropout": self.dropout}


def kept(scores: Tensor, visible: Tensor) -> Tensor:
    """Scores whose softmax is 0 where nothing is visible, and even where nothing at all is."""
    return ops.where(visible, scores, ops.cast(-3e4 if scores.dtype == "float16" else -1e9, scores.dtype))
