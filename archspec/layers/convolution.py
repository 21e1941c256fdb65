"""Convolutions that Keras lacks: integer padding, native groups, unequal strides of depthwise kernels, biases alone.

The functions give the plain Keras layer wherever it computes the same, else a subclass with its weights and config.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
from keras import ops

from archspec.layers.tensor import Shape, Tensor

Sides = tuple[tuple[int, int], ...]
"""(before, after) per spatial axis."""

register = keras.saving.register_keras_serializable("archspec")


def conv(*, rank: int, groups: int, padding: str | Sides, **config: Any) -> keras.Layer:
    """Convolution over ``rank`` spatial axes; ``padding`` is a word or zeros per side."""
    padding = _in_words(padding, rank, config)
    if groups == 1 and isinstance(padding, str):
        layer = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)[rank - 1]
    else:
        layer = (Convolution1D, Convolution2D, Convolution3D)[rank - 1]
    return layer(padding=padding, groups=groups, data_format="channels_last", **config)


def conv_transpose(
    *, rank: int, padding: str | Sides, output_padding: int | tuple[int, ...] | None, **config: Any
) -> keras.Layer:
    """Transposed convolution over ``rank`` spatial axes; integer padding crops the output, as in PyTorch."""
    layers = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
    own = (TransposedConvolution1D, TransposedConvolution2D, TransposedConvolution3D)
    kernel, stride, dilation, extra = (
        _per_axis(v, rank)
        for v in (config["kernel_size"], config["strides"], config["dilation_rate"], output_padding or 0)
    )
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if max(dilation) > 1:
        if isinstance(padding, str):
            # The stride is 1 beside a dilation: ``same`` keeps the size.
            padding = tuple(((s - 1) // 2, s // 2) if padding == "same" else (0, 0) for s in spans)
        layers = own
    elif not isinstance(padding, str):
        if all(
            b == (span - s) // 2 and span - b - a + e == s and span >= s
            for span, s, (b, a), e in zip(spans, stride, padding, extra, strict=True)
        ):
            padding, output_padding = "same", None
        elif not any(map(any, padding)):
            padding, output_padding = "valid", extra
        else:
            layers = own
    return layers[rank - 1](padding=padding, output_padding=output_padding, data_format="channels_last", **config)


def depthwise_conv(*, rank: int, padding: str | Sides, **config: Any) -> keras.Layer:
    """Depthwise convolution over one or two spatial axes."""
    padding = _in_words(padding, rank, config)
    if isinstance(padding, str) and len(set(_per_axis(config["strides"], rank))) == 1:
        layer = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)[rank - 1]
    else:
        layer = (DepthwiseConvolution1D, DepthwiseConvolution2D)[rank - 1]
    return layer(padding=padding, data_format="channels_last", **config)


def separable_conv(*, rank: int, padding: str | Sides, **config: Any) -> keras.Layer:
    """Depthwise separable convolution over one or two spatial axes."""
    padding = _in_words(padding, rank, config)
    if isinstance(padding, str) and len(set(_per_axis(config["strides"], rank))) == 1:
        layer = (keras.layers.SeparableConv1D, keras.layers.SeparableConv2D)[rank - 1]
    else:
        layer = (SeparableConvolution1D, SeparableConvolution2D)[rank - 1]
    return layer(padding=padding, data_format="channels_last", **config)


class _ExplicitPadding:
    """Lets ``padding`` be zeros per side. What stands behind in the MRO then sees ``valid`` and the grown size."""

    # Set by the Keras layer behind.
    rank: int
    filters: int
    groups: int
    kernel_size: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    output_padding: tuple[int, ...] | None
    use_bias: bool
    activation: Any
    kernel: Tensor
    depthwise_kernel: Tensor
    pointwise_kernel: Tensor
    bias: Tensor

    def __init__(self, *args: Any, padding: str | Sides = "valid", **kwargs: Any):
        word, sides = (padding, ()) if isinstance(padding, str) else ("valid", padding)
        super().__init__(*args, padding=word, **kwargs)  # type: ignore[call-arg]
        self.sides = tuple((int(before), int(after)) for before, after in sides)

    def padded(self, x: Tensor) -> Tensor:
        return ops.pad(x, ((0, 0), *self.sides, (0, 0))) if self.sides else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if self.sides:
            batch, *sizes, channels = input_shape
            grown = (None if n is None else n + b + a for n, (b, a) in zip(sizes, self.sides, strict=True))
            input_shape = (batch, *grown, channels)
        return tuple(super().compute_output_shape(input_shape))  # type: ignore[misc]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()  # type: ignore[misc]
        return {**config, "padding": self.sides} if self.sides else config

    def finished(self, y: Tensor) -> Tensor:
        if self.use_bias:
            y = ops.add(y, self.bias)
        return y if self.activation is None else self.activation(y)


class _Convolution(_ExplicitPadding):
    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        x = self.padded(inputs)
        if self.groups > 1 and keras.backend.backend() == "tensorflow":
            return _grouped(x, kernel, self)
        return super().convolution_op(x, kernel)  # type: ignore[misc]


@register
class Convolution1D(_Convolution, keras.layers.Conv1D):
    """Conv1D whose ``padding`` may be ((before, after),), and whose groups are native to TensorFlow."""

    def call(self, inputs: Tensor) -> Tensor:
        # Conv1D's own call does not go through convolution_op.
        return super(keras.layers.Conv1D, self).call(inputs)


@register
class Convolution2D(_Convolution, keras.layers.Conv2D):
    """Conv2D whose ``padding`` may be (before, after) per axis, and whose groups are native to TensorFlow."""


@register
class Convolution3D(_Convolution, keras.layers.Conv3D):
    """Conv3D whose ``padding`` may be (before, after) per axis, and whose groups are split and concatenated."""


class _DepthwiseConvolution(_ExplicitPadding):
    def call(self, inputs: Tensor) -> Tensor:
        return self.finished(_depthwise(self.padded(inputs), self.kernel, self))


@register
class DepthwiseConvolution1D(_DepthwiseConvolution, keras.layers.DepthwiseConv1D):
    """DepthwiseConv1D whose ``padding`` may be ((before, after),)."""


@register
class DepthwiseConvolution2D(_DepthwiseConvolution, keras.layers.DepthwiseConv2D):
    """DepthwiseConv2D whose ``padding`` may be (before, after) per axis, and whose strides may differ."""


class _SeparableConvolution(_ExplicitPadding):
    def call(self, inputs: Tensor) -> Tensor:
        y = _depthwise(self.padded(inputs), self.depthwise_kernel, self)
        return self.finished(ops.conv(y, self.pointwise_kernel, data_format="channels_last"))


@register
class SeparableConvolution1D(_SeparableConvolution, keras.layers.SeparableConv1D):
    """SeparableConv1D whose ``padding`` may be ((before, after),)."""


@register
class SeparableConvolution2D(_SeparableConvolution, keras.layers.SeparableConv2D):
    """SeparableConv2D whose ``padding`` may be (before, after) per axis, and whose strides may differ."""


class _TransposedConvolution(_ExplicitPadding):
    """``sides`` are cropped from the whole output of (n - 1)·stride + span; ``output_padding`` adds to its end.

    TensorFlow's own op takes a dilation on some processors only (on a CPU: those where oneDNN is on).
    """

    def call(self, inputs: Tensor) -> Tensor:
        if max(self.dilation_rate) > 1:
            return self.finished(self._turned_round(inputs))
        extra = self.output_padding or (0,) * self.rank
        y = ops.conv_transpose(
            inputs,
            self.kernel,
            strides=self.strides,
            padding="valid",
            output_padding=tuple(max(e - a, 0) for e, (_, a) in zip(extra, self.sides, strict=True)),
            data_format="channels_last",
        )
        crops = (slice(b, min(e - a, 0) or None) for e, (b, a) in zip(extra, self.sides, strict=True))
        return self.finished(y[(slice(None), *crops)])

    def _turned_round(self, x: Tensor) -> Tensor:
        """With stride 1, the only one beside a dilation: the convolution with the kernel reversed along its axes."""
        whole = [d * (k - 1) for k, d in zip(self.kernel_size, self.dilation_rate, strict=True)]
        rests = [(w - b, w - a) for w, (b, a) in zip(whole, self.sides, strict=True)]
        x = ops.pad(x, ((0, 0), *((max(b, 0), max(a, 0)) for b, a in rests), (0, 0)))
        x = x[(slice(None), *(slice(max(-b, 0), min(a, 0) or None) for b, a in rests))]
        kernel = ops.swapaxes(ops.flip(self.kernel, axis=tuple(range(self.rank))), -1, -2)
        return ops.conv(x, kernel, 1, "valid", "channels_last", self.dilation_rate)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, _ = input_shape
        extra = self.output_padding or (0,) * self.rank
        out = [
            None if n is None else (n - 1) * s + d * (k - 1) + 1 - b - a + e
            for n, k, s, d, (b, a), e in zip(
                sizes,
                self.kernel_size,
                self.strides,
                self.dilation_rate,
                self.sides,
                extra,
                strict=True,
            )
        ]
        return (batch, *out, self.filters)


@register
class TransposedConvolution1D(_TransposedConvolution, keras.layers.Conv1DTranspose):
    """Conv1DTranspose with PyTorch's integer ``padding`` and ``output_padding``."""


@register
class TransposedConvolution2D(_TransposedConvolution, keras.layers.Conv2DTranspose):
    """Conv2DTranspose with PyTorch's integer ``padding`` and ``output_padding``."""


@register
class TransposedConvolution3D(_TransposedConvolution, keras.layers.Conv3DTranspose):
    """Conv3DTranspose with PyTorch's integer ``padding`` and ``output_padding``."""


@register
class Bias(keras.Layer):
    """Adds a bias per ``channel``, per spatial ``position`` (shared by its channels), or per ``element``."""

    def __init__(self, per: str = "channel", **kwargs: Any):
        super().__init__(**kwargs)
        self.per = per
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        shapes = {"channel": input_shape[-1:], "position": (*input_shape[1:-1], 1), "element": input_shape[1:]}
        self.bias = self.add_weight(name="bias", shape=shapes[self.per], initializer="zeros")

    def call(self, inputs: Tensor) -> Tensor:
        return ops.add(inputs, self.bias)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "per": self.per}


def _per_axis(value: Tensor, rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def _in_words(padding: str | Sides, rank: int, config: dict[str, Any]) -> str | Sides:
    """``padding`` as Keras's word for it, if there is one that holds for inputs of every size."""
    if isinstance(padding, str):
        return padding
    if not any(map(any, padding)):
        return "valid"
    kernel, dilation = _per_axis(config["kernel_size"], rank), _per_axis(config["dilation_rate"], rank)
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    unit = set(_per_axis(config["strides"], rank)) == {1}
    return "same" if unit and tuple(padding) == tuple((t // 2, t - t // 2) for t in totals) else padding


def _grouped(x: Tensor, kernel: Tensor, layer: keras.Layer) -> Tensor:
    """Grouped convolution on TensorFlow.

    Keras goes through a nested XLA function here, which is one to two orders slower to train on a CPU and leaves an
    invalid graph in ONNX files.
    """
    import tensorflow as tf

    if layer.rank < 3 and _native_groups(x.dtype.name):
        strides, dilations = layer.strides, layer.dilation_rate
        if layer.rank == 1:
            x, kernel, strides, dilations = (
                tf.expand_dims(x, 1),
                tf.expand_dims(kernel, 0),
                (1, *strides),
                (1, *dilations),
            )
        y = tf.nn.conv2d(x, kernel, list(strides), layer.padding.upper(), dilations=list(dilations))
        return tf.squeeze(y, 1) if layer.rank == 1 else y
    parts = zip(ops.split(x, layer.groups, -1), ops.split(kernel, layer.groups, -1), strict=True)
    options = {"padding": layer.padding, "dilation_rate": layer.dilation_rate, "data_format": "channels_last"}
    return ops.concatenate([ops.conv(part, k, list(layer.strides), **options) for part, k in parts], axis=-1)


@cache
def _native_groups(dtype: str) -> bool:
    """Whether this TensorFlow differentiates grouped 2D convolutions of ``dtype`` (on a CPU: oneDNN's)."""
    import tensorflow as tf

    # init_scope stops tapes, so the gradients' own ops are called. 3×3, since 1×1 is a matrix product.
    with tf.init_scope():
        x, kernel = tf.ones((1, 5, 5, 4), dtype), tf.ones((3, 3, 2, 4), dtype)
        common = {"out_backprop": tf.ones((1, 3, 3, 4), dtype), "strides": (1, 1, 1, 1), "padding": "VALID"}
        try:
            tf.raw_ops.Conv2D(input=x, filter=kernel, strides=(1, 1, 1, 1), padding="VALID")
            tf.raw_ops.Conv2DBackpropInput(input_sizes=x.shape, filter=kernel, **common)
            tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=kernel.shape, **common)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


def _depthwise(x: Tensor, kernel: Tensor, layer: keras.Layer) -> Tensor:
    """Depthwise convolution; unequal strides are thinned from stride 1, since TensorFlow's kernels take equal ones."""
    options = {"dilation_rate": layer.dilation_rate, "data_format": "channels_last"}
    strides = layer.strides
    if len(set(strides)) == 1:
        return ops.depthwise_conv(x, kernel, strides, layer.padding, **options)
    if layer.padding == "same":
        axes = zip(ops.shape(x)[1:-1], layer.kernel_size, strides, layer.dilation_rate, strict=True)
        x = ops.pad(x, ((0, 0), *(_same(n, d * (k - 1) + 1, s) for n, k, s, d in axes), (0, 0)))
    y = ops.depthwise_conv(x, kernel, 1, "valid", **options)
    return y[:, :: strides[0], :: strides[1]]


def _same(size: Tensor, span: int, stride: int) -> tuple[Tensor, Tensor]:
    """(before, after) of ``same`` padding; ``size`` is a number or a scalar tensor."""
    total = (-(-size // stride) - 1) * stride + span - size
    total = max(total, 0) if isinstance(size, int) else ops.maximum(total, 0)
    return total // 2, total - total // 2
