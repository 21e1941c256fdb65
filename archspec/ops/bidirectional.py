"""A recurrent layer that reads a sequence from both ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, WithJsonSchema

from archspec.ir.diagnostics import did_you_mean
from archspec.ir.reading import made, named
from archspec.ir.tensors import TensorSpec, WeightSpec
from archspec.ir.validation import refuse
from archspec.ops.base import Op
from archspec.ops.masks import of_sequences
from archspec.ops.peers import Form
from archspec.ops.reach import EVERYTHING, Axes
from archspec.ops.recurrent import Gru, Lstm, Rnn

if TYPE_CHECKING:
    import keras


def _recurrent(value: object) -> Any:
    if isinstance(value, (Rnn, Lstm, Gru)):
        return value
    name, args = named(value, "a recurrent op")
    kinds: dict[str, type[Op]] = {"rnn": Rnn, "lstm": Lstm, "gru": Gru}
    if name not in kinds:
        raise refuse("must be rnn, lstm or gru: {lstm: {units: 64}}", did_you_mean(name, kinds))
    op = made(kinds[name], args)
    for argument in ("reverse", "states"):
        if getattr(op, argument):
            raise refuse(f"must be without {argument}: both directions are read, and only their outputs are given")
    return op


class Bidirectional(Op, name="bidirectional", main="layer"):
    """Two recurrent layers, one of which reads backwards, and their outputs as one (Schuster and Paliwal 1997).

    ``bidirectional: {lstm: {units: 64, sequences: true}}`` is the usual form. At steps that a mask leaves out the
    output is zero.
    """

    convention = "sequence"

    layer: Annotated[
        Any,
        BeforeValidator(_recurrent),
        WithJsonSchema({"type": "object", "minProperties": 1, "maxProperties": 1}),
    ]
    """The op of each direction, as a one-op map: ``{lstm: {units: 64}}``."""
    merge: Literal["concat", "add", "multiply", "average"] = "concat"
    """How the two outputs become one; ``concat`` doubles the channels."""

    masked = of_sequences

    def infer(self, x: TensorSpec) -> TensorSpec:
        out = self.layer.infer(x)
        return TensorSpec((*out.spatial, self.layer.units * 2)) if self.merge == "concat" else out

    def is_random(self) -> bool:
        return bool(self.layer.is_random())

    def reach(self, x: TensorSpec) -> tuple[Axes, ...]:
        return ((EVERYTHING, EVERYTHING) if self.layer.sequences else None,)

    def weights(self, x: TensorSpec) -> tuple[WeightSpec, ...]:
        return tuple(
            WeightSpec(f"{way}_{self.layer.name}/{weight.name}", weight.shape)
            for way in ("forward", "backward")
            for weight in self.layer.weights(x)
        )

    def macs(self, out: TensorSpec, x: TensorSpec) -> int:
        """twice the layer's"""
        return 2 * int(self.layer.macs(out, x))

    def backward_macs(self, needed: tuple[bool, ...], out: TensorSpec, x: TensorSpec) -> int:
        """twice the layer's"""
        return 2 * int(self.layer.backward_macs(needed, out, x))

    def flops(self, out: TensorSpec, x: TensorSpec) -> int:
        """twice the layer's, and the merge's"""
        merge = {"concat": 0, "add": 1, "multiply": 1, "average": 2}[self.merge]
        return 2 * int(self.layer.flops(out, x)) + (merge * out.size if merge else 0)

    def transcendentals(self, out: TensorSpec, x: TensorSpec) -> int:
        """twice the layer's"""
        return 2 * int(self.layer.transcendentals(out, x))

    def torch(self, weight: WeightSpec) -> Form:
        """That of either direction: the weights are called ``forward_lstm/lstm_cell/kernel``."""
        form: Form = self.layer.torch(weight)
        if weight.name.startswith("forward_"):
            return form
        return form._replace(roles=tuple(f"{role}_reverse" for role in form.roles))

    def saved_within(self, out: TensorSpec, x: TensorSpec) -> tuple[TensorSpec, ...]:
        """twice the layer's"""
        return (*self.layer.saved_within(out, x),) * 2

    def lower(self, x: TensorSpec) -> keras.Layer:
        import keras

        layer = self.layer.lower(x)
        layer.name = self.layer.name
        words = {"concat": "concat", "add": "sum", "multiply": "mul", "average": "ave"}
        return keras.layers.Bidirectional(layer, merge_mode=words[self.merge])
