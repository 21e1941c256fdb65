"""Shapes and weights of Keras's own layers, by families of layers that share a rule.

A rule reads the arguments under Keras's names, all of them, and the input; the table ``keras_layers.json`` says which
layer is of which family. Sizes are without the batch axis, but Keras's ``axis`` and einsum equations count it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ops.errors import OpError
from archspec.ops.keras_rules import einsum, kernels, places
from archspec.ops.keras_rules.call import Call, same_shape
from archspec.ops.shapes import floating


class LayerRules(NamedTuple):
    """What layers of a family give, and which weights they have."""

    infer: Callable[[Call], TensorSpec]
    weights: Callable[[Call], tuple[WeightSpec, ...]] = lambda call: ()
    takes: str = "float"
    """Types of numbers it takes: those with this in their name."""
    is_pointwise: bool = False
    """Whether every element is computed by itself."""
    activates: bool = False
    """Whether ``activation`` is applied to its output."""
    is_stated: bool = False
    """Whether only the step can say which shape comes out."""
    settled: Callable[[Call], Mapping[str, Any]] = lambda call: {}
    """Arguments that the input completes: Keras would leave open what they leave open."""


FAMILIES: dict[str, LayerRules] = {
    "elementwise": LayerRules(same_shape, is_pointwise=True),
    "same": LayerRules(same_shape),
    "along_axis": LayerRules(places.along_axis),
    "rescaled": LayerRules(places.rescaled),
    "image": LayerRules(places.image),
    "dense": LayerRules(kernels.dense, kernels.dense_weights, activates=True),
    "einsum": LayerRules(einsum.einsum, einsum.einsum_weights, activates=True, settled=einsum.einsum_shape),
    "conv": LayerRules(kernels.conv, kernels.conv_weights, activates=True),
    "conv_transpose": LayerRules(kernels.transposed, kernels.transposed_weights, activates=True),
    "depthwise_conv": LayerRules(kernels.depthwise, kernels.depthwise_weights, activates=True),
    "separable_conv": LayerRules(kernels.separable, kernels.separable_weights, activates=True),
    "embedding": LayerRules(kernels.embedding, kernels.embedding_weights, takes="int"),
    "batch_norm": LayerRules(places.normalized, places.batch_norm_weights),
    "layer_norm": LayerRules(places.normalized, places.norm_weights),
    "group_norm": LayerRules(places.group_norm, places.norm_weights),
    "rms_norm": LayerRules(places.normalized, places.rms_norm_weights),
    "prelu": LayerRules(places.prelu, places.prelu_weights),
    "pool": LayerRules(places.pool),
    "global_pool": LayerRules(places.global_pool),
    "adaptive_pool": LayerRules(places.adaptive_pool),
    "crop": LayerRules(places.crop),
    "pad": LayerRules(places.pad),
    "upsample": LayerRules(places.upsample),
    "resize": LayerRules(places.resized),
    "flatten": LayerRules(places.flatten),
    "reshape": LayerRules(places.reshape, settled=places.listed_sizes("target_shape")),
    "permute": LayerRules(places.permute, settled=places.listed_sizes("dims")),
    "repeat": LayerRules(places.repeat),
    "recurrent": LayerRules(kernels.recurrent, kernels.recurrent_weights),
    "conv_recurrent": LayerRules(kernels.conv_recurrent, kernels.conv_recurrent_weights),
    "bins": LayerRules(places.bins),
    "categories": LayerRules(places.categories, takes="int"),
    "stated": LayerRules(places.stated, is_stated=True),
    "stated_fourier": LayerRules(places.stated, places.unlike, is_stated=True),
}


def takes(call: Call, family: LayerRules) -> None:
    """Raises OpError for numbers of a type that the layer does not take."""
    if family.takes == "float":
        floating(call.x, call.layer)
    elif family.takes not in call.x.dtype:
        raise OpError(f"{call.layer} needs integers, got {call.x.dtype}", of_input=True)
