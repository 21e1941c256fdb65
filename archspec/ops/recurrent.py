"""Recurrent layers over (time, channels).

They read from the first step to the last and remember in a state. Steps that a mask leaves out (``embedding:
{mask_zero: true}``, ``mask``) change nothing: the state stays, so a padded sequence ends in the state of the unpadded
one, whichever side its padding is on. With ``sequences`` the mask goes on to what follows, and the output of a step
left out is the output before it.

A state can be an input (``from: {x: words, state: "enc[1]"}``) and, with ``states``, an output: that is how a decoder
starts where an encoder ended, and how sampling goes on from step to step.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from pydantic import Field

from archspec.ir.tensors import Outputs, TensorSpec, WeightSpec, elements
from archspec.ops.arguments import Activation, Initializer, Rate, Regularizer, Width, weight_rules
from archspec.ops.base import Op, OpError
from archspec.ops.masks import of_sequences
from archspec.ops.peers import gated, gated_by_reset
from archspec.ops.reach import EVERYTHING, Axes, Reach
from archspec.ops.shapes import floating, known_channels

if TYPE_CHECKING:
    import keras


class Rnn(Op, name="rnn", main="units"):
    """Elman's network: h = activation(x · kernel + h · recurrent_kernel + bias) (Elman 1990)."""

    convention = "sequence"
    carries = ("state",)

    units: Width
    """Channels of the state, which is the output."""
    sequences: bool = False
    """Give the output of every step, not only of the last."""
    activation: Activation = Field("tanh", validate_default=True)
    """Activation of the new state."""
    bias: bool = True
    """Add a bias per unit."""
    reverse: bool = False
    """Read from the last step to the first. With ``sequences`` the outputs stand where their steps do (Keras's
    ``go_backwards`` gives them in the order of reading)."""
    states: bool = False
    """Give a bundle: the output and the last state."""
    dropout: Rate = 0.0
    """Probability that an input channel is dropped in training, the same for all steps."""
    recurrent_dropout: Rate = 0.0
    """Probability that a channel of the state is dropped in training, where it enters the next step."""
    kernel_initializer: Initializer = None
    """What the kernel on the input is before training."""
    recurrent_initializer: Initializer = None
    """What the kernel on the state is before training; null is Keras's, orthogonal."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel on the input is added to the loss in training."""
    recurrent_regularizer: Regularizer = None
    """What of the kernel on the state is added to the loss in training."""

    masked = of_sequences
    torch = gated
    torch_does_not_say = ("activation",)

    def infer(self, x: TensorSpec, state: TensorSpec | None = None) -> Outputs:
        return _outputs(self, x, state)

    def is_random(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    def reach(self, x: TensorSpec, state: TensorSpec | None = None) -> tuple[Axes, ...]:
        return _in_order(self, x, state)

    def weights(self, x: TensorSpec, state: TensorSpec | None = None) -> tuple[WeightSpec, ...]:
        return _weights(self, x, "simple_rnn_cell", 1)

    def macs(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """steps · units · (channels + units)"""
        return _matrices(self, x, 1)

    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, x: TensorSpec, *states: TensorSpec) -> int:
        """twice the macs, but for the kernel's on the input where no gradient by the input is needed"""
        return 2 * self.macs(out, x) - _of_input(self, x, 1) * (not needed[0])

    def flops(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """2 · macs + steps · units · 2 (bias, sum), and the activation's"""
        gained: int = self.activation.flops(*_twice(self, x))
        return 2 * self.macs(out, x) + _steps(self, x).size * (self.bias + 1) + gained

    def transcendentals(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """steps · units · 1 (tanh)"""
        count: int = self.activation.transcendentals(*_twice(self, x))
        return count

    def saved_within(self, out: Outputs, x: TensorSpec, *states: TensorSpec) -> tuple[TensorSpec, ...]:
        """the state of every step"""
        return (TensorSpec((x.shape[0], self.units)),)

    def lower(self, x: TensorSpec, state: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.recurrent import recurrent

        return recurrent("rnn", own_states=state is not None, **_config(self))


class Lstm(Op, name="lstm", main="units"):
    """Long short-term memory, with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    The gates lie in the weights in the order input, forget, cell, output, as in Keras and PyTorch; Keras has one bias,
    PyTorch adds two.
    """

    convention = "sequence"
    carries = ("state", "cell")
    torch_has = (("gate_activation", "sigmoid"), ("activation", "tanh"))

    units: Width
    """Channels of the state and of the cell; the state is the output."""
    sequences: bool = False
    """Give the output of every step, not only of the last."""
    activation: Activation = Field("tanh", validate_default=True)
    """Activation of the cell's candidate and of its output."""
    gate_activation: Activation = Field("sigmoid", validate_default=True)
    """Activation of the gates (Keras's ``recurrent_activation``)."""
    bias: bool = True
    """Add a bias per gate and unit."""
    forget_bias: bool = True
    """Start the forget gate's bias at 1, all others at 0 (Jozefowicz et al. 2015)."""
    reverse: bool = False
    """Read from the last step to the first. With ``sequences`` the outputs stand where their steps do (Keras's
    ``go_backwards`` gives them in the order of reading)."""
    states: bool = False
    """Give a bundle: the output, the last state and the last cell."""
    dropout: Rate = 0.0
    """Probability that an input channel is dropped in training, the same for all steps."""
    recurrent_dropout: Rate = 0.0
    """Probability that a channel of the state is dropped in training, where it enters the next step."""
    kernel_initializer: Initializer = None
    """What the kernel on the input is before training."""
    recurrent_initializer: Initializer = None
    """What the kernel on the state is before training; null is Keras's, orthogonal."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel on the input is added to the loss in training."""
    recurrent_regularizer: Regularizer = None
    """What of the kernel on the state is added to the loss in training."""

    masked = of_sequences
    torch = gated

    def infer(self, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None) -> Outputs:
        if (state is None) != (cell is None):
            raise OpError(
                "lstm starts from a state and a cell, or from neither", help="state and cell of another: e[1], e[2]"
            )
        return _outputs(self, x, state, cell)

    def is_random(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    def reach(self, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None) -> tuple[Axes, ...]:
        return _in_order(self, x, state, cell)

    def weights(
        self, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None
    ) -> tuple[WeightSpec, ...]:
        return _weights(self, x, "lstm_cell", 4)

    def macs(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None) -> int:
        """steps · 4 · units · (channels + units)"""
        return _matrices(self, x, 4)

    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, x: TensorSpec, *states: TensorSpec) -> int:
        """twice the macs, but for the kernel's on the input where no gradient by the input is needed"""
        return 2 * self.macs(out, x) - _of_input(self, x, 4) * (not needed[0])

    def flops(
        self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None
    ) -> int:
        """2 · macs + steps · units · 21: biases and sums of gates 8, three sigmoids 9, new cell 3, output 1"""
        extra = _steps(self, x).size * (4 * self.bias + 4 + 4)
        gates, twice = self.gate_activation.flops, _twice(self, x)
        activations: int = 3 * gates(*twice) + 2 * self.activation.flops(*twice)
        return 2 * self.macs(out, x) + extra + activations

    def transcendentals(
        self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None
    ) -> int:
        """steps · units · 5 (three sigmoids, two tanh)"""
        twice = _twice(self, x)
        count: int = 3 * self.gate_activation.transcendentals(*twice) + 2 * self.activation.transcendentals(*twice)
        return count

    def saved_within(self, out: Outputs, x: TensorSpec, *states: TensorSpec) -> tuple[TensorSpec, ...]:
        """gates, cell, its tanh and the state of every step"""
        return (TensorSpec((x.shape[0], 7 * self.units)),)

    def lower(self, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.recurrent import recurrent

        gates = {"recurrent_activation": self.gate_activation.function(), "unit_forget_bias": self.forget_bias}
        return recurrent("lstm", own_states=state is not None, **_config(self), **gates)


class Gru(Op, name="gru", main="units"):
    """Gated recurrent unit (Cho et al. 2014). The gates lie in the weights in the order update, reset, candidate
    (PyTorch: reset, update, candidate)."""

    convention = "sequence"
    carries = ("state",)
    torch_has = (("gate_activation", "sigmoid"), ("activation", "tanh"))

    units: Width
    """Channels of the state, which is the output."""
    sequences: bool = False
    """Give the output of every step, not only of the last."""
    activation: Activation = Field("tanh", validate_default=True)
    """Activation of the candidate."""
    gate_activation: Activation = Field("sigmoid", validate_default=True)
    """Activation of the gates (Keras's ``recurrent_activation``)."""
    bias: bool = True
    """Add biases per gate and unit."""
    reset_after: bool = True
    """Reset after the matrix product, with two biases per gate, as Keras and PyTorch do; else before it, with one, as
    the paper does."""
    reverse: bool = False
    """Read from the last step to the first. With ``sequences`` the outputs stand where their steps do (Keras's
    ``go_backwards`` gives them in the order of reading)."""
    states: bool = False
    """Give a bundle: the output and the last state."""
    dropout: Rate = 0.0
    """Probability that an input channel is dropped in training, the same for all steps."""
    recurrent_dropout: Rate = 0.0
    """Probability that a channel of the state is dropped in training, where it enters the next step."""
    kernel_initializer: Initializer = None
    """What the kernel on the input is before training."""
    recurrent_initializer: Initializer = None
    """What the kernel on the state is before training; null is Keras's, orthogonal."""
    bias_initializer: Initializer = None
    """What the bias is before training."""
    kernel_regularizer: Regularizer = None
    """What of the kernel on the input is added to the loss in training."""
    recurrent_regularizer: Regularizer = None
    """What of the kernel on the state is added to the loss in training."""

    masked = of_sequences
    torch = gated_by_reset

    def infer(self, x: TensorSpec, state: TensorSpec | None = None) -> Outputs:
        return _outputs(self, x, state)

    def is_random(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    def reach(self, x: TensorSpec, state: TensorSpec | None = None) -> tuple[Axes, ...]:
        return _in_order(self, x, state)

    def weights(self, x: TensorSpec, state: TensorSpec | None = None) -> tuple[WeightSpec, ...]:
        return _weights(self, x, "gru_cell", 3, biases=2 if self.reset_after else 1)

    def macs(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """steps · 3 · units · (channels + units)"""
        return _matrices(self, x, 3)

    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, x: TensorSpec, *states: TensorSpec) -> int:
        """twice the macs, but for the kernel's on the input where no gradient by the input is needed"""
        return 2 * self.macs(out, x) - _of_input(self, x, 3) * (not needed[0])

    def flops(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """2 · macs + steps · units · 20: biases 6 (3 without reset_after), sums 3, two sigmoids 6, the reset 1, the new
        state 4"""
        biases = (6 if self.reset_after else 3) if self.bias else 0
        extra, twice = _steps(self, x).size * (biases + 3 + 1 + 4), _twice(self, x)
        gates = 2 * self.gate_activation.flops(*twice)
        activations: int = gates + self.activation.flops(*twice)
        return 2 * self.macs(out, x) + extra + activations

    def transcendentals(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """steps · units · 3 (two sigmoids, a tanh)"""
        twice = _twice(self, x)
        count: int = 2 * self.gate_activation.transcendentals(*twice) + self.activation.transcendentals(*twice)
        return count

    def saved_within(self, out: Outputs, x: TensorSpec, *states: TensorSpec) -> tuple[TensorSpec, ...]:
        """gates, what is reset and the state of every step"""
        return (TensorSpec((x.shape[0], 5 * self.units)),)

    def lower(self, x: TensorSpec, state: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.recurrent import recurrent

        gates = {"recurrent_activation": self.gate_activation.function(), "reset_after": self.reset_after}
        return recurrent("gru", own_states=state is not None, **_config(self), **gates)


def _outputs(op: Any, x: TensorSpec, *states: TensorSpec | None) -> Outputs:
    """What ``infer`` returns."""
    floating(x, op.name)
    known_channels(x, op.name)
    if x.rank != 2:
        raise OpError(
            f"{op.name} needs an input of (time, channels), got {x}",
            help=None if x.rank < 2 else f"reshape: [-1, {x.shape[-1]}] makes every position a step",
        )
    state = TensorSpec((op.units,))
    for given in states:
        if given is not None and given != state:
            raise OpError(
                f"{op.name}: a state must be {state} of float32, got {given} of {given.dtype}",
                help="of a layer with states: true, [0] is the output and what follows are its states",
            )
    op.activation.infer(state)
    out = TensorSpec((x.shape[0], op.units)) if op.sequences else state
    return (out, *(state,) * (2 if op.name == "lstm" else 1)) if op.states else out


def _in_order(op: Any, x: TensorSpec, *states: TensorSpec | None) -> tuple[Axes, ...]:
    """What is read of the steps, and of the states that are given; only sequences have steps."""
    time = (Reach(0, inf) if op.reverse else Reach(inf, 0), EVERYTHING)
    return (time if op.sequences else None, *(None for state in states if state is not None))


def _weights(op: Any, x: TensorSpec, cell: str, gates: int, biases: int = 1) -> tuple[WeightSpec, ...]:
    columns = gates * op.units
    kernels = (
        WeightSpec(f"{cell}/kernel", (known_channels(x, op.name), columns)),
        WeightSpec(f"{cell}/recurrent_kernel", (op.units, columns)),
    )
    bias = WeightSpec(f"{cell}/bias", (columns,) if biases == 1 else (biases, columns))
    return (*kernels, bias) if op.bias else kernels


def _steps(op: Any, x: TensorSpec) -> TensorSpec:
    """The states of all steps, whether they are given or not."""
    return TensorSpec((x.shape[0], op.units))


def _twice(op: object, x: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
    """What an activation's cost rules take."""
    return (_steps(op, x),) * 2


def _matrices(op: Any, x: TensorSpec, gates: int) -> int:
    units: int = op.units
    return elements((x.shape[0],)) * gates * units * (known_channels(x, op.name) + units)


def _of_input(op: Any, x: TensorSpec, gates: int) -> int:
    """MACs of the kernel on the input alone."""
    units: int = op.units
    return elements((x.shape[0],)) * gates * units * known_channels(x, op.name)


def _config(op: Any) -> dict[str, Any]:
    """Keras's arguments that all three have."""
    return {
        "units": op.units,
        "activation": op.activation.function(),
        "use_bias": op.bias,
        "return_sequences": op.sequences,
        "return_state": op.states,
        "go_backwards": op.reverse,
        "dropout": op.dropout,
        "recurrent_dropout": op.recurrent_dropout,
        **weight_rules(op),
    }
