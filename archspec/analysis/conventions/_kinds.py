"""Kinds of layers by what several tools do alike."""

from __future__ import annotations

CONVOLUTIONS = ("conv", "depthwise_conv")
PRODUCTS = (*CONVOLUTIONS, "conv_transpose", "dense", "matmul", "dot")
"""Layers whose multiplications every tool counts, or nearly."""
RECURRENT = ("rnn", "lstm", "gru", "bidirectional")
ATTENTION = ("attention", "additive_attention")
POOLS = ("max_pool", "avg_pool", "adaptive_max_pool", "adaptive_avg_pool", "global_avg_pool", "global_max_pool")
NORMS = ("batch_norm", "layer_norm", "group_norm", "instance_norm")
EMBEDDINGS = ("embedding", "reversible_embedding")
KERNELS = "multiplications of convolutions, dense layers and matrix products"
