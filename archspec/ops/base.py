"""What an op is.

An op is typed fields and named rules, in this order: fields, ``infer``, ``weights``, cost, ``lower``. Its inputs are
the parameters of ``infer`` (``x``; ``query, value, key=None``; ``*inputs`` takes any number). Rules are pure functions
of shapes; only ``lower`` knows Keras, and imports it inside. An op never knows files or lines: it refuses with OpError,
and the frontend gives the refusal its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from archspec.ir.declaration import Declaration
from archspec.ir.meaning import Meanings
from archspec.ir.tensors import Outputs, TensorSpec, WeightSpec
from archspec.ops.errors import OpError as OpError

if TYPE_CHECKING:
    import keras

    from archspec.ir.counterpart import Counterpart, OrderTrace
    from archspec.ops.peers import Form
    from archspec.ops.reach import Axes

Number = Literal["distribution", "log_distribution", "probability", "score", "limited"]
"""What a loss gets from an activation: shares that sum to 1 over channels; their logarithms; numbers from 0 to 1, each
by itself; scores, as far apart as they like; scores that the activation keeps from that."""
Convention = Literal["elementwise", "channelwise", "image", "convolution", "sequence", "unknown"]


class Op(Declaration, package="archspec.ops"):
    """One kind of node. ``out`` in the cost rules is what ``infer`` returned for the same inputs."""

    is_view: ClassVar[bool] = False
    """True where the output is the input's memory under another shape (flatten, dropout at inference)."""
    is_activation: ClassVar[bool] = False
    """True where the op may stand as an ``activation`` argument: elementwise (or over channels), one input."""
    is_merge: ClassVar[bool] = False
    """True where the op joins any number of tensors and may stand after ``merge:``."""
    is_projectable: ClassVar[bool] = False
    """True for merges where a skip that does not fit may be projected (``project: auto``)."""
    moves_data: ClassVar[bool] = False
    """True where the op computes nothing: its output is elements of its inputs, or of its weights, at other places."""
    saves: ClassVar[Literal["inputs", "output", "nothing"]] = "inputs"
    """What its gradient is computed from in training; where an op only moves data, or is a view, nothing."""
    stops_gradient: ClassVar[bool] = False
    """True where the output counts as a constant in training."""
    operands: ClassVar[Literal["ordered", "any order", "nested"]] = "ordered"
    """What the order of several inputs means: all of it; nothing (sums); all of it, where nests are one (joining)."""
    number: ClassVar[Number] = "limited"
    """Where ``is_activation``: what its outputs are to a loss."""
    hands_on: ClassVar[Literal["nothing", "elements", "means", "scaled"]] = "nothing"
    """What its outputs are of its inputs' numbers: elements of them, at other places, or weighted means, either of
    which are numbers of the same kind; the same by a factor and an offset, as limited as they were; or something else.
    Where ``is_view`` they are elements."""
    keeps_zero: ClassVar[bool] = False
    """True where zeros give zeros, before anything is learnt. Of views, elements and means it goes without saying."""
    cancels: ClassVar[bool] = False
    """True where one tensor given twice gives the same whatever it is."""
    normalizes: ClassVar[bool] = False
    """True where numbers of any scale come out in one."""
    centers_channels: ClassVar[bool] = False
    """True where a number that is added to all values of a channel changes nothing."""
    is_rectifying: ClassVar[bool] = False
    """Where ``is_activation``: true where nothing comes out below zero, and a second time changes nothing."""
    is_equivariant: ClassVar[bool] = False
    """True where the same is done at every place of a map, whatever the map's size: of a map that is moved, what is
    made is moved. Of an activation it goes without saying."""
    kernel_writes: ClassVar[tuple[int, ...]] = ()
    """Axes of its kernel, counted from the end, that run over what it writes; none where it has not one kernel."""
    entries_of: ClassVar[str | None] = None
    """The argument that says how many entries there are, where integers that come in are numbers of entries."""
    causal_by: ClassVar[str | None] = None
    """What to write that it reads no later step, where that is for an argument to say."""
    convention: ClassVar[Convention] = "unknown"
    """How tensors lie before and after the op where images are kept channels first: a method of ``OrderTrace``."""
    is_held: ClassVar[bool] = False
    """True where a training step's output is that of the round's beginning, for all of its updates."""
    torch_does_not_say: ClassVar[tuple[str, ...]] = ()
    """Arguments on which the results of PyTorch's module depend, and of which a state dict says nothing."""
    torch_has: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Arguments that PyTorch's layer does not have, and what it does always."""
    remembers: ClassVar[str | None] = None
    """The argument that says how many earlier examples a held op may give in place of the one that comes in."""
    marks_padding: ClassVar[bool] = False
    """True where the output may have a mask of steps though no input has one."""
    of_keras: ClassVar[bool] = False
    """True where Keras alone knows all that the layer needs: what it refuses is told at the step."""
    results: ClassVar[tuple[str, ...]] = ()
    """Names of its outputs, where it has several and they are taken by name: ``found.boxes``."""
    rows_are: ClassVar[str | None] = None
    """The figure of a graph that the rows of its output are counted in."""
    carries: ClassVar[tuple[str, ...]] = ()
    """Names of the inputs and, behind the first, outputs that hold what the op remembers from step to step."""

    @property
    def computed(self) -> Op:
        """What is computed: the op itself, or the one of which it is but a name."""
        return self

    @property
    def within(self) -> Op:
        """The op that this one is written around, or itself."""
        found = getattr(self, "layer", None)
        return found if isinstance(found, Op) else self

    @property
    def result_names(self) -> tuple[str, ...]:
        """Names of the outputs of a layer, where they are taken by name; none where not."""
        return self.results

    @property
    def instead(self) -> str | None:
        """The name of an op that says more of the same layer."""
        return None

    @property
    def applied(self) -> Op | None:
        """The activation that is applied to the output; None for none, and where it is within a step of several."""
        found = None if self.carries else getattr(self, "activation", None)
        return found if isinstance(found, Op) else None

    @classmethod
    def parameters(cls, given: object) -> Mapping[str, Any]:
        """The arguments that a call may have, by name, where ``given`` is what it is written with."""
        return cls.model_fields

    def infer(self, *inputs: TensorSpec) -> TensorSpec | tuple[TensorSpec, ...]:
        """Shape and dtype of the output (a tuple for several). Raises OpError."""
        raise NotImplementedError

    def weights(self, *inputs: TensorSpec) -> tuple[WeightSpec, ...]:
        """The weights by Keras's names and shapes; counts are derived from them."""
        return ()

    def reach(self, *inputs: TensorSpec) -> tuple[Axes, ...]:
        """For each input, which of its positions a position of the output depends on; None, unless an op knows better,
        where it may be any. Of several outputs the answer holds for those that have the axes of the first."""
        return (None,) * len(inputs)

    def masked(self, covered: tuple[int, ...], *inputs: TensorSpec) -> int:
        """How many leading axes of the output a mask of steps covers, where ``covered`` says it of each input. Raises
        OpError where steps that a mask leaves out would be read as all others are, or a mask would be lost."""
        for count, axes in zip(covered, self.reach(*inputs), strict=True):
            if count and (axes is None or any(along != (0, 0, 1) for along in axes[:count])):
                from archspec.ops.masks import refused

                return int(refused(self, covered, *inputs))
        if len(set(covered)) > 1:
            raise OpError(
                f"{self.name} would lose a mask: some of what it joins leaves padding out, some does not",
                help="give all of it the mask, or none",
            )
        return max(covered)

    def meanings(self, given: Meanings, inputs: tuple[TensorSpec, ...]) -> Meanings:
        """What the outputs are, where it is known what the inputs are; nothing, unless an op knows better, but of what
        is elements of inputs that are all the same. Raises OpError for inputs that cannot be what it needs."""
        is_same = self.is_view or self.hands_on == "elements"
        return given[:1] if is_same and len(set(given)) == 1 else ()

    def check_image(self, image: TensorSpec, *inputs: TensorSpec) -> None:
        """Raises OpError where the op cannot be about an image of this size."""

    def at_every_place(self, x: TensorSpec) -> Op | None:
        """What does with the maps of x's size within a larger one what this op does with ``x``; None where it does not
        take a map as a whole. Raises OpError where none can."""
        return None

    def factors(self, rank: int) -> tuple[Op, Op] | None:
        """Two ops that do one after the other what this op does where its kernel, as a matrix of all that is read for
        an output by the outputs, is the product of two with ``rank`` between them: of the first's kernel, its only
        weight, and the second's, which has the bias and the activation. None where it has no such kernel."""
        return None

    def is_flattening(self) -> bool:
        """Whether the output is the input as one vector."""
        return False

    def is_constant(self, *inputs: TensorSpec) -> bool:
        """Whether the output is the same whatever numbers come in."""
        return False

    def is_positional(self) -> bool:
        """Whether what a position gives depends on where it stands."""
        return False

    def is_random(self) -> bool:
        """Whether the output is drawn in training."""
        return False

    def macs(self, out: Outputs, *inputs: TensorSpec) -> int:
        """Multiply-accumulates per sample. Raises UnknownSize."""
        return 0

    def macs_in_bounds(self, out: Outputs, *inputs: TensorSpec) -> int:
        """Those of the MACs whose taps do not fall on padding, nor on what is cropped. Raises UnknownSize."""
        return self.macs(out, *inputs)

    def backward_macs(self, needed: tuple[bool, ...], out: Outputs, *inputs: TensorSpec) -> int:
        """MACs per sample of the gradients by the weights and by those inputs that ``needed`` says. Raises
        UnknownSize."""
        forward = self.macs(out, *inputs)
        return forward * any(w.trainable for w in self.weights(*inputs)) + forward * any(needed)

    def flops(self, out: Outputs, *inputs: TensorSpec) -> int:
        """2 · MACs + elementwise operations per sample. Raises UnknownSize."""
        return 2 * self.macs(out, *inputs)

    def transcendentals(self, out: Outputs, *inputs: TensorSpec) -> int:
        """exp, log, tanh, … per sample, counted apart from FLOPs. Raises UnknownSize."""
        return 0

    @property
    def called(self) -> str:
        """What a note calls it: its name, and more where that name stands for several layers."""
        return self.name

    @classmethod
    @cache
    def is_counted(cls) -> bool:
        """Whether the op says what it costs, if only that it is nothing. Of an op that does not, nothing is known."""
        rules = ("macs", "flops", "transcendentals")
        return cls.is_view or cls.moves_data or any(getattr(cls, r) is not getattr(Op, r) for r in rules)

    def weights_read(self, out: Outputs, *inputs: TensorSpec) -> int | None:
        """Scalars of the weights that a sample reads, where it does not read all of them. Raises UnknownSize."""
        return None

    def saved_within(self, out: Outputs, *inputs: TensorSpec) -> tuple[TensorSpec, ...]:
        """Tensors per sample beside its inputs and outputs that its gradient is computed from."""
        return ()

    def elsewhere(self, trace: OrderTrace, out: Outputs, *inputs: Counterpart) -> Counterpart | tuple[Counterpart, ...]:
        """How the outputs lie in a library that keeps images channels first, given how the inputs do."""
        rule = getattr(trace, self.convention)
        return tuple(rule(o, *inputs) for o in out) if isinstance(out, tuple) else rule(out, *inputs)

    def torch(self, weight: WeightSpec) -> Form:
        """How PyTorch keeps one of its weights."""
        from archspec.ops.peers import usual

        return usual(self, weight)

    def lower(self, *inputs: TensorSpec) -> keras.Layer:
        """The Keras layer that is this op on these inputs, unbuilt and unnamed. Called once per layer."""
        raise NotImplementedError

    def lower_unmasked(self, *inputs: TensorSpec) -> keras.Layer | None:
        """A layer of Keras's own that computes the same where no mask leaves steps out; None where there is none, and
        where ``lower`` gives it already. A model then loads without archspec."""
        return None


@cache
def ports(op: type[Op]) -> tuple[tuple[str, ...], int, bool]:
    """Input names of an op, how many of them are required, and whether it takes any number of further ones."""
    code, defaults = op.infer.__code__, op.infer.__defaults__ or ()
    names = code.co_varnames[1 : code.co_argcount]
    return names, len(names) - len(defaults), bool(code.co_flags & 0x04)
