"""Recurrence over maps: (time, height, width, channels), in which convolutions stand in the place of products."""

from __future__ import annotations

from math import inf, prod
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from archspec.ir.tensors import TensorSpec, WeightSpec, elements
from archspec.ops.arguments import Activation, Initializer, Rate, Regularizer, Sizes, Width, weight_rules
from archspec.ops.base import Op, OpError
from archspec.ops.masks import refused
from archspec.ops.reach import EVERYTHING, Axes, Reach
from archspec.ops.shapes import floating, known_channels, per_axis, refuse_dilated_stride, window_places, windows

if TYPE_CHECKING:
    import keras

GATES = 4


class ConvLstm(Op, name="conv_lstm", main="filters"):
    """LSTM whose products with the input and with the state are convolutions (Shi et al. 2015), over 1 to 3 spatial
    axes: (time, height, width, channels) becomes (height, width, filters), or with ``sequences`` one for each step."""

    convention = "unknown"

    filters: Width
    """Channels of the state, which is the output."""
    kernel: Sizes = 3
    """Extent of both kernels, per axis."""
    stride: Sizes = 1
    """Step of the kernel on the input, per axis; that on the state has 1."""
    padding: Literal["same", "valid"] = "same"
    """Zeros around the input; the state keeps its size."""
    dilation: Sizes = 1
    """Distance between the taps of the kernel on the input, per axis; needs stride 1."""
    sequences: bool = False
    """Give the output of every step, not only of the last."""
    activation: Activation = Field("tanh", validate_default=True)
    """Activation of the candidate and of the output."""
    gate_activation: Activation = Field("sigmoid", validate_default=True)
    """Activation of the gates."""
    bias: bool = True
    """Add a bias per filter and gate."""
    dropout: Rate = 0.0
    """Probability that an element of the input is dropped in training, the same for all steps."""
    recurrent_dropout: Rate = 0.0
    """Probability that an element of the state is dropped in training, where it enters the next step."""
    kernel_initializer: Initializer = None
    """What the kernel on the input is before training."""
    recurrent_initializer: Initializer = None
    """What the kernel on the state is before training; null is Keras's, orthogonal."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel on the input is added to the loss in training."""

    masked = refused

    @property
    def applied(self) -> Op | None:
        return None

    def infer(self, x: TensorSpec) -> TensorSpec:
        floating(x, "conv_lstm")
        known_channels(x, "conv_lstm")
        if not 3 <= x.rank <= 5:
            raise OpError(f"conv_lstm needs an input of (time, 1 to 3 spatial axes, channels), got {x}")
        if None in x.shape[1:]:
            raise OpError(f"conv_lstm needs known sizes of all axes but time, got {x}")
        rank = x.rank - 2
        stride, dilation = per_axis(self.stride, rank, "stride"), per_axis(self.dilation, rank, "dilation")
        refuse_dilated_stride(stride, dilation, "conv_lstm")
        state = self._state(x)
        return TensorSpec((x.shape[0], *state.shape)) if self.sequences else state

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((Reach(inf, 0), *(EVERYTHING,) * (x.rank - 1)) if self.sequences else None,)

    def is_random(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        taps, columns = per_axis(self.kernel, x.rank - 2, "kernel"), GATES * self.filters
        kernels = (
            WeightSpec("conv_lstm_cell/kernel", (*taps, known_channels(x, "conv_lstm"), columns)),
            WeightSpec("conv_lstm_cell/recurrent_kernel", (*taps, self.filters, columns)),
        )
        return (*kernels, WeightSpec("conv_lstm_cell/bias", (columns,))) if self.bias else kernels

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """steps · positions of the state · size of both kernels"""
        return self._positions(x) * sum(prod(w.shape) for w in self.weights(x)[:2])

    def macs_in_bounds(self, out: TensorSpec, x: TensorSpec) -> int:
        state, each = self._state(x), TensorSpec(x.shape[1:])
        read = window_places(each, state.spatial, self.kernel, self.stride, self.padding, self.dilation)
        kept = window_places(state, state.spatial, self.kernel, 1, "same")
        size = read * known_channels(x, "conv_lstm") + kept * self.filters
        return elements(x.shape[:1]) * size * GATES * self.filters

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec) -> int:
        """twice the macs, but for the kernel's on the input where no gradient by the input is needed"""
        return 2 * self.macs(out, x) - (0 if needed[0] else self._positions(x) * prod(self.weights(x)[0].shape))

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """2 · macs + for each element of the state and step the sums (8 with a bias, else 4), 4 of the cell, and the
        activations'"""
        each = TensorSpec((self._positions(x) * self.filters,))
        activations = 3 * self.gate_activation.flops(each, each) + 2 * self.activation.flops(each, each)
        return 2 * self.macs(out, x) + each.size * (8 + GATES * self.bias) + int(activations)

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """the activations' of 3 gates, the candidate and the output"""
        each = TensorSpec((self._positions(x) * self.filters,))
        gates = 3 * self.gate_activation.transcendentals(each, each)
        return int(gates + 2 * self.activation.transcendentals(each, each))

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """gates, cell and state of every step"""
        return (TensorSpec((x.shape[0], *self._state(x).spatial, (GATES + 2) * self.filters)),)

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        kinds = (keras.layers.ConvLSTM1D, keras.layers.ConvLSTM2D, keras.layers.ConvLSTM3D)
        config: dict[str, Any] = {
            "filters": self.filters,
            "kernel_size": self.kernel,
            "strides": self.stride,
            "padding": self.padding,
            "dilation_rate": self.dilation,
            "activation": self.activation.function(),
            "recurrent_activation": self.gate_activation.function(),
            "use_bias": self.bias,
            "return_sequences": self.sequences,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            "data_format": "channels_last",
            **weight_rules(self),
        }
        return kinds[x.rank - 3](**config)

    def _state(self, x: TensorSpec) -> TensorSpec:
        step = TensorSpec(x.shape[1:])
        sizes = windows(step, "conv_lstm", self.kernel, self.stride, self.padding, self.dilation)
        return TensorSpec((*sizes, self.filters))

    def _positions(self, x: TensorSpec) -> int:
        """Of the state, in all steps."""
        return elements((x.shape[0], *self._state(x).spatial))
