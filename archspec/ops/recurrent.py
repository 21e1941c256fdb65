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
from typing import TYPE_CHECKING, Any, ClassVar

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


class _Recurrent(Op):
    """A cell that reads (time, channels) step by step: its arguments, and what follows from its number of gates."""

    convention = "sequence"
    carries: ClassVar[tuple[str, ...]] = ("state",)
    masked = of_sequences
    torch = gated
    cell: ClassVar[str]
    """Keras's name of the layer of one step, which owns the weights."""
    gates: ClassVar[int]
    """Products with the input and with the state, for each unit."""

    units: Width
    """Channels of the state, which is the output."""
    sequences: bool = False
    """Give the output of every step, not only of the last."""
    activation: Activation = Field("tanh", validate_default=True)
    """Activation of the new state, or of what the gates let into it."""
    bias: bool = True
    """Add a bias per unit, and per gate where there are gates."""
    reverse: bool = False
    """Read from the last step to the first. With ``sequences`` the outputs stand where their steps do (Keras's
    ``go_backwards`` gives them in the order of reading)."""
    states: bool = False
    """Give a bundle: the output and the last state (and the last cell, where there is one)."""
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

    def infer(self, x: TensorSpec, state: TensorSpec | None = None) -> Outputs:
        floating(x, self.name)
        known_channels(x, self.name)
        if x.rank != 2:
            raise OpError(
                f"{self.name} needs an input of (time, channels), got {x}",
                help=None if x.rank < 2 else f"reshape: [-1, {x.shape[-1]}] makes every position a step",
            )
        self._check_state(state)
        last = TensorSpec((self.units,))
        self.activation.infer(last)
        out = self._each_step(x) if self.sequences else last
        return (out, *(last,) * len(self.carries)) if self.states else out

    def is_random(self) -> bool:
        return self.dropout > 0 or self.recurrent_dropout > 0

    def reach(self, x: TensorSpec, *states: TensorSpec | None) -> tuple[Axes, ...]:
        time = (Reach(0, inf) if self.reverse else Reach(inf, 0), EVERYTHING)
        return (time if self.sequences else None, *(None for state in states if state is not None))

    def weights(self, x: TensorSpec, *states: TensorSpec | None) -> tuple[WeightSpec, ...]:
        columns = self.gates * self.units
        kernels = (
            WeightSpec(f"{self.cell}/kernel", (known_channels(x, self.name), columns)),
            WeightSpec(f"{self.cell}/recurrent_kernel", (self.units, columns)),
        )
        return (*kernels, WeightSpec(f"{self.cell}/bias", self._bias_shape())) if self.bias else kernels

    def macs(self, out: Outputs, x: TensorSpec, *states: TensorSpec | None) -> int:
        """steps · gates · units · (channels + units)"""
        return self._products(x, known_channels(x, self.name) + self.units)

    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, x: TensorSpec, *states: TensorSpec) -> int:
        """twice the macs, but for the kernel's on the input where no gradient by the input is needed"""
        of_input = self._products(x, known_channels(x, self.name))
        return 2 * self.macs(out, x) - of_input * (not needed[0])

    def _check_state(self, *given: TensorSpec | None) -> None:
        """Raises OpError where a state that is given has not the shape of the cell's own."""
        own = TensorSpec((self.units,))
        for state in given:
            if state is not None and state != own:
                raise OpError(
                    f"{self.name}: a state must be {own} of float32, got {state} of {state.dtype}",
                    help="of a layer with states: true, [0] is the output and what follows are its states",
                )

    def _each_step(self, x: TensorSpec) -> TensorSpec:
        """The states of all steps, whether they are given or not."""
        return TensorSpec((x.shape[0], self.units))

    def _twice(self, x: TensorSpec) -> tuple[TensorSpec, TensorSpec]:
        """What an activation's cost rules take."""
        return (self._each_step(x),) * 2

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _products(self, x: TensorSpec, rows: int) -> int:
        """MACs of products of all gates with so many numbers, over all steps."""
        return elements((x.shape[0],)) * self.gates * self.units * rows

    def _config(self) -> dict[str, Any]:
        """Keras's arguments that all cells have."""
        return {
            "units": self.units,
            "activation": self.activation.function(),
            "use_bias": self.bias,
            "return_sequences": self.sequences,
            "return_state": self.states,
            "go_backwards": self.reverse,
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            **weight_rules(self),
        }


class Rnn(_Recurrent, name="rnn", main="units"):
    """Elman's network: h = activation(x · kernel + h · recurrent_kernel + bias) (Elman 1990)."""

    cell, gates = "simple_rnn_cell", 1
    torch_does_not_say = ("activation",)

    def flops(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """2 · macs + steps · units · 2 (bias, sum), and the activation's"""
        gained: int = self.activation.flops(*self._twice(x))
        return 2 * self.macs(out, x) + self._each_step(x).size * (self.bias + 1) + gained

    def transcendentals(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """steps · units · 1 (tanh)"""
        count: int = self.activation.transcendentals(*self._twice(x))
        return count

    def saved_within(self, out: Outputs, x: TensorSpec, *states: TensorSpec) -> tuple[TensorSpec, ...]:
        """the state of every step"""
        return (self._each_step(x),)

    def lower(self, x: TensorSpec, state: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.recurrent import recurrent

        return recurrent("rnn", own_states=state is not None, **self._config())


class Lstm(_Recurrent, name="lstm", main="units"):
    """Long short-term memory, with a forget gate (Hochreiter and Schmidhuber 1997; Gers et al. 2000).

    The gates lie in the weights in the order input, forget, cell, output, as in Keras and PyTorch; Keras has one bias,
    PyTorch adds two.
    """

    cell, gates = "lstm_cell", 4
    carries = ("state", "cell")
    torch_has = (("gate_activation", "sigmoid"), ("activation", "tanh"))

    gate_activation: Activation = Field("sigmoid", validate_default=True)
    """Activation of the gates (Keras's ``recurrent_activation``)."""
    forget_bias: bool = True
    """Start the forget gate's bias at 1, all others at 0 (Jozefowicz et al. 2015)."""

    def infer(self, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None) -> Outputs:
        if (state is None) != (cell is None):
            raise OpError(
                "lstm starts from a state and a cell, or from neither", help="state and cell of another: e[1], e[2]"
            )
        self._check_state(cell)
        return super().infer(x, state)

    def flops(
        self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None
    ) -> int:
        """2 · macs + steps · units · 21: biases and sums of gates 8, three sigmoids 9, new cell 3, output 1"""
        extra = self._each_step(x).size * (4 * self.bias + 4 + 4)
        gates, twice = self.gate_activation.flops, self._twice(x)
        activations: int = 3 * gates(*twice) + 2 * self.activation.flops(*twice)
        return 2 * self.macs(out, x) + extra + activations

    def transcendentals(
        self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None
    ) -> int:
        """steps · units · 5 (three sigmoids, two tanh)"""
        twice = self._twice(x)
        count: int = 3 * self.gate_activation.transcendentals(*twice) + 2 * self.activation.transcendentals(*twice)
        return count

    def saved_within(self, out: Outputs, x: TensorSpec, *states: TensorSpec) -> tuple[TensorSpec, ...]:
        """gates, cell, its tanh and the state of every step"""
        return (TensorSpec((x.shape[0], 7 * self.units)),)

    def lower(self, x: TensorSpec, state: TensorSpec | None = None, cell: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.recurrent import recurrent

        own = {"recurrent_activation": self.gate_activation.function(), "unit_forget_bias": self.forget_bias}
        return recurrent("lstm", own_states=state is not None, **self._config(), **own)


class Gru(_Recurrent, name="gru", main="units"):
    """Gated recurrent unit (Cho et al. 2014). The gates lie in the weights in the order update, reset, candidate
    (PyTorch: reset, update, candidate)."""

    cell, gates = "gru_cell", 3
    torch = gated_by_reset
    torch_has = (("gate_activation", "sigmoid"), ("activation", "tanh"))

    gate_activation: Activation = Field("sigmoid", validate_default=True)
    """Activation of the gates (Keras's ``recurrent_activation``)."""
    reset_after: bool = True
    """Reset after the matrix product, with two biases per gate, as Keras and PyTorch do; else before it, with one, as
    the paper does."""

    def flops(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """2 · macs + steps · units · 20: biases 6 (3 without reset_after), sums 3, two sigmoids 6, the reset 1, the new
        state 4"""
        biases = (6 if self.reset_after else 3) if self.bias else 0
        extra, twice = self._each_step(x).size * (biases + 3 + 1 + 4), self._twice(x)
        gates = 2 * self.gate_activation.flops(*twice)
        activations: int = gates + self.activation.flops(*twice)
        return 2 * self.macs(out, x) + extra + activations

    def transcendentals(self, out: Outputs, x: TensorSpec, state: TensorSpec | None = None) -> int:
        """steps · units · 3 (two sigmoids, a tanh)"""
        twice = self._twice(x)
        count: int = 2 * self.gate_activation.transcendentals(*twice) + self.activation.transcendentals(*twice)
        return count

    def saved_within(self, out: Outputs, x: TensorSpec, *states: TensorSpec) -> tuple[TensorSpec, ...]:
        """gates, what is reset and the state of every step"""
        return (TensorSpec((x.shape[0], 5 * self.units)),)

    def lower(self, x: TensorSpec, state: TensorSpec | None = None) -> keras.Layer:
        from archspec.layers.recurrent import recurrent

        own = {"recurrent_activation": self.gate_activation.function(), "reset_after": self.reset_after}
        return recurrent("gru", own_states=state is not None, **self._config(), **own)

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else super()._bias_shape()
