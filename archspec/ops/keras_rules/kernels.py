"""Layers with a kernel: dense, convolutions, recurrent ones; and tables of embeddings."""

from __future__ import annotations

from archspec.ir.tensors import Size, TensorSpec, WeightSpec
from archspec.ops.errors import OpError
from archspec.ops.keras_rules.call import Call, one_size, window_sizes, with_bias
from archspec.ops.shapes import known_channels


def dense(call: Call) -> TensorSpec:
    known_channels(call.x, call.layer)
    return TensorSpec((*call.x.spatial, one_size(call, "units")))


def dense_weights(call: Call) -> tuple[WeightSpec, ...]:
    units = one_size(call, "units")
    return with_bias(call, (units,), WeightSpec("kernel", (known_channels(call.x, call.layer), units)))


def grouped(call: Call) -> int:
    """Channels that each of a convolution's filters reads."""
    channels, groups = known_channels(call.x, call.layer), one_size(call, "groups")
    if channels % groups or one_size(call, "filters") % groups:
        what = f"{channels} channels and {call['filters']} filters"
        raise OpError(f"{call.layer}: {what} do not divide into {groups} groups", argument="groups")
    return channels // groups


def conv(call: Call) -> TensorSpec:
    rank = call.ranked()
    grouped(call)
    return TensorSpec((*window_sizes(call, "kernel_size", rank, call.x.spatial), one_size(call, "filters")))


def conv_weights(call: Call) -> tuple[WeightSpec, ...]:
    filters = one_size(call, "filters")
    kernel = (*call.positive("kernel_size", call.ranked()), grouped(call), filters)
    return with_bias(call, (filters,), WeightSpec("kernel", kernel))


def transposed(call: Call) -> TensorSpec:
    rank = call.ranked()
    known_channels(call.x, call.layer)
    kernels, strides, dilations = (call.positive(name, rank) for name in ("kernel_size", "strides", "dilation_rate"))
    further = call.sizes("output_padding", rank)

    def along(n: Size, kernel: int, stride: int, dilation: int, beyond: int | None) -> Size:
        if n is None:
            return None
        span = (kernel - 1) * dilation + 1
        if call["padding"] == "same":
            return n * stride if beyond is None else (n - 1) * stride + span % 2 + beyond
        return (n - 1) * stride + span + (max(span, stride) - span if beyond is None else beyond)

    axes = zip(call.x.spatial, kernels, strides, dilations, further, strict=True)
    return TensorSpec((*(along(*axis) for axis in axes), one_size(call, "filters")))


def transposed_weights(call: Call) -> tuple[WeightSpec, ...]:
    filters = one_size(call, "filters")
    kernel = (*call.positive("kernel_size", call.ranked()), filters, known_channels(call.x, call.layer))
    return with_bias(call, (filters,), WeightSpec("kernel", kernel))


def depthwise(call: Call) -> TensorSpec:
    channels = known_channels(call.x, call.layer) * one_size(call, "depth_multiplier")
    return TensorSpec((*window_sizes(call, "kernel_size", call.ranked(), call.x.spatial), channels))


def depthwise_weights(call: Call) -> tuple[WeightSpec, ...]:
    channels, multiplier = known_channels(call.x, call.layer), one_size(call, "depth_multiplier")
    kernel = (*call.positive("kernel_size", call.ranked()), channels, multiplier)
    return with_bias(call, (channels * multiplier,), WeightSpec("kernel", kernel))


def separable(call: Call) -> TensorSpec:
    return TensorSpec((*depthwise(call).spatial, one_size(call, "filters")))


def separable_weights(call: Call) -> tuple[WeightSpec, ...]:
    channels, multiplier, filters = (known_channels(call.x, call.layer), call["depth_multiplier"], call["filters"])
    taps = call.positive("kernel_size", call.ranked())
    return with_bias(
        call,
        (filters,),
        WeightSpec("depthwise_kernel", (*taps, channels, multiplier)),
        WeightSpec("pointwise_kernel", (*(1 for _ in taps), channels * multiplier, filters)),
    )


def embedding(call: Call) -> TensorSpec:
    return TensorSpec((*call.x.shape, one_size(call, "output_dim")))


def embedding_weights(call: Call) -> tuple[WeightSpec, ...]:
    entries, size = one_size(call, "input_dim"), one_size(call, "output_dim")
    table = WeightSpec("embeddings", (entries, size))
    return (
        (table,) if call.given.get("tie_weights", True) else (table, WeightSpec("reverse_embeddings", (size, entries)))
    )


def recurrent(call: Call) -> TensorSpec:
    if call.x.rank != 2:
        raise OpError(f"{call.layer} needs an input of time and channels, got {call.x}")
    known_channels(call.x, call.layer)
    return TensorSpec((*call.x.shape[: 1 if call["return_sequences"] else 0], one_size(call, "units")))


_GATES = {"SimpleRNN": ("simple_rnn_cell", 1), "LSTM": ("lstm_cell", 4), "GRU": ("gru_cell", 3)}


def recurrent_weights(call: Call) -> tuple[WeightSpec, ...]:
    (cell, gates), units = _GATES[call.layer], one_size(call, "units")
    columns = gates * units
    weights = [
        WeightSpec(f"{cell}/kernel", (known_channels(call.x, call.layer), columns)),
        WeightSpec(f"{cell}/recurrent_kernel", (units, columns)),
    ]
    if call["use_bias"]:
        weights.append(WeightSpec(f"{cell}/bias", (2, columns) if call.given.get("reset_after") else (columns,)))
    return tuple(weights)


def conv_recurrent(call: Call) -> TensorSpec:
    rank = call.ranked()
    if None in call.x.shape[1:]:
        raise OpError(f"{call.layer} needs known sizes of all axes but time, got {call.x}")
    state = (*window_sizes(call, "kernel_size", rank, call.x.shape[1:-1]), one_size(call, "filters"))
    return TensorSpec((*call.x.shape[: 1 if call["return_sequences"] else 0], *state))


def conv_recurrent_weights(call: Call) -> tuple[WeightSpec, ...]:
    taps, filters = call.positive("kernel_size", call.ranked()), one_size(call, "filters")
    weights = [
        WeightSpec("conv_lstm_cell/kernel", (*taps, known_channels(call.x, call.layer), 4 * filters)),
        WeightSpec("conv_lstm_cell/recurrent_kernel", (*taps, filters, 4 * filters)),
    ]
    return (*weights, WeightSpec("conv_lstm_cell/bias", (4 * filters,))) if call["use_bias"] else tuple(weights)
