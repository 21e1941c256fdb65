"""The steps of a spec's ``train`` section as a keras.Model: what each minimises, what it reports, what can be drawn.

Nothing here knows what is trained: networks, forward graph, terms and constraints are the graph's. When the steps
update is said by a subclass: one after another (alternating_updates.py), all at once (simultaneous_updates.py), or as
the one step of a whole network (single_update.py). Everything that a round draws follows from the seed and the number
of rounds that were done, so that number, the weights and the pools are all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import keras
import numpy as np
from keras import ops

from archspec.backend.build import compile as built
from archspec.backend.seams.generators import Seed
from archspec.ir.graph import Graph, Tensor, drawable
from archspec.ir.training import EXAMPLES, GradientPenalty, TrainStep
from archspec.layers.tensor import Tensor as Value
from archspec.training.latents import along
from archspec.training.updates import autodiff
from archspec.training.updates.forward import Forward, Values
from archspec.training.updates.optimizers import StepOptimizers
from archspec.training.updates.pool import Pool
from archspec.training.updates.terms import value as term_value

LOSS = "loss"
TINY = 1e-24

State = Sequence[tuple[Any, Any]]
"""Variables with the values that they are to have."""


class StepsModel(keras.Model):
    """Networks that are trained by steps. ``networks`` is the Keras model of all of them, side by side."""

    def __init__(self, graph: Graph, networks: keras.Model | None = None, *, seed: int = 0):
        super().__init__(name=f"{graph.name}_steps")
        assert graph.training is not None
        self.graph, self.plan, self.seed = graph, graph.training, seed
        self.networks = built(graph, training=True) if networks is None else networks
        self.graphs = graph.networks or {graph.name: graph}
        updated = {name for step in self.plan.steps for name in step.update} if graph.networks else None
        self.owned = {
            name: [self.networks.get_layer(n.layer) for n in network.owners() if n.weights]
            for name, network in self.graphs.items()
        }
        self.body = Forward(self.plan, {x.name: x for x in self.networks.layers}, updated)
        self.losses_of = {
            term: term.loss.lower(from_logits=term.from_logits)
            for step in self.plan.steps
            for term in step.minimize
            if not isinstance(term.loss, GradientPenalty)
        }
        kept = {n: getattr(n.op, "remembers", None) for n in self.body.held}
        self.pools = {n.name: Pool(self, n, getattr(n.op, size)) for n, size in kept.items() if size}
        self.averages = {name: self._average(name) for name in self.plan.averages}
        names = [name for step in self.plan.steps for name in self.reported(step) if name != LOSS]
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self.total = keras.metrics.Mean(name=LOSS)
        self.built = True

    # --- what Keras asks ----------------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        loss: object = None,
        metrics: object = None,
        **options: Any,
    ) -> None:
        """As ``keras.Model.compile``. ``optimizer`` is one for each step, or one of which each step has its own copy.

        Losses are the spec's: ``loss`` and ``metrics`` are not used.
        """
        options = {k: v for k, v in options.items() if k in ("run_eagerly", "steps_per_execution", "jit_compile")}
        super().compile(optimizer=self.optimizer_of(optimizer), **options)

    def optimizer_of(self, given: object) -> Any:
        """What updates, of what ``compile`` was given."""
        given = given if isinstance(given, (list, tuple)) else keras.optimizers.get(given)
        return StepOptimizers(given, [{name: self.variables_of([name]) for name in s.update} for s in self.plan.steps])

    @property
    def metrics(self) -> list[Any]:
        """The sum of all losses, and all that the steps report."""
        return [self.total, *self.means.values()]

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer of a network."""
        return self.networks.get_layer(name, index)

    # --- networks -----------------------------------------------------------------------------------------------------

    def variables_of(self, networks: Iterable[str]) -> list[Any]:
        """Variables of networks that training changes."""
        return [v for name in networks for layer in self.owned[name] for v in layer.trainable_variables]

    def owned_all(self, network: str) -> list[Any]:
        """All layers of a network, those without weights too: dropout has the state of its generator."""
        return [self.networks.get_layer(n.layer) for n in self.graphs[network].owners()]

    def rounds(self) -> Any:
        """How many rounds were done."""
        raise NotImplementedError

    # --- a round ------------------------------------------------------------------------------------------------------

    def batch(self, x: Value) -> dict[str, Any]:
        """Values of the inputs that the data give, of one array or a dict."""
        wanted = [name for name in self.plan.body.inputs if name not in self.plan.drawn]
        wanted += [
            name for name, d in self.plan.drawn.items() if d.kind == "label" and isinstance(x, dict) and name in x
        ]
        return {name: x[name] for name in wanted} if isinstance(x, dict) else dict(zip(wanted, [x], strict=True))

    def inputs(self, batch: Mapping[str, Any], rounds: Value, draw: Value) -> Values:
        """The inputs of the forward graph: the batch, and what is drawn; ``draw`` tells draws of a round apart."""
        out = {Tensor(name): value for name, value in batch.items()}
        size = ops.shape(next(iter(batch.values())))[0]
        for i, (name, drawn) in enumerate(self.plan.drawn.items()):
            if name not in batch:
                shape = (size, *self.plan.body.inputs[name].shape)
                out[Tensor(name)] = autodiff.draw(drawn, shape, Seed(self._stream(i, draw), rounds))
        return out

    def draws(self, rounds: Value, draw: Value) -> State:
        """What the random layers of the body draw from, apart from the networks' own: as drawn inputs do."""
        first = len(self.plan.drawn)
        seeds = (Seed(self._stream(first + i, draw), rounds) for i in range(len(self.body.generators)))
        return [
            (state, ops.cast(seed.next(), state.dtype)) for state, seed in zip(self.body.generators, seeds, strict=True)
        ]

    def _stream(self, i: int, draw: Value) -> Any:
        return self.seed + i * 7919 + ops.cast(draw, "int32") * 104_729

    def hold(self, batch: Mapping[str, Any], rounds: Value, state: State = ()) -> Values:
        """What the round's beginning gives to all of its steps."""
        if not self.body.held:
            return {}
        wanted = [n.inputs[0] for n in self.body.held]
        given = [*state, *self.draws(rounds, 0)]
        _, values = self.body(self.inputs(batch, rounds, 0), wanted, {}, mapping=given)
        out = {}
        for i, node in enumerate(self.body.held):
            value = ops.stop_gradient(values[node.inputs[0]])
            if pool := self.pools.get(node.name):
                value = pool.exchange(value, self.seed + i, rounds)
            out[Tensor(node.name)] = value
        return out

    def objective(
        self, step: TrainStep, inputs: Values, held: Values, rounds: Value, *, training: bool = True, state: State = ()
    ) -> tuple[State, dict[str, Any]]:
        """What the states of a step's networks become by its computation (statistics, generators), and its report: what
        it minimises, and every term of that, by name. ``state`` gives variables other values.

        Without ``training`` there is no decay of weights, and networks are used as in inference.
        """
        results = self.plan.results
        states = [v for name in step.update for layer in self.owned_all(name) for v in layer.non_trainable_variables]
        moved: State = ()

        def compute(targets: Iterable[Tensor], known: Values) -> tuple[Values, State]:
            scope, values = self.body(inputs, targets, known, training=training, mapping=[*state, *moved])
            return values, [(v, new) for v in states if (new := scope.get_current_value(v)) is not None]

        penalties = [term for term in step.minimize if isinstance(term.loss, GradientPenalty)]
        known, slopes = held, {}
        if penalties:
            known, moved = compute([results[str(term.operands[1])] for term in penalties], held)
            for term in penalties:
                result, point = (results[str(name)] for name in term.operands)

                def score(at: Value, result: Tensor = result, point: Tensor = point) -> tuple[Any, State]:
                    values, moved = compute([result], {**held, point: at})
                    return values[result], moved

                known[result], slopes[term], moved = autodiff.gradient(score, known[point])
        named = {name for term in step.minimize for name in term.results}
        values, moved = compute([results[name] for name in named], known)

        report, total = {}, 0.0
        for term in step.minimize:
            if isinstance(term.loss, GradientPenalty):
                value = penalty(slopes[term], term.loss.norm)
            else:
                prediction, wanted = values[results[str(term.operands[0])]], term.operands[1]
                target = values[results[wanted]] if isinstance(wanted, str) else ops.full_like(prediction, wanted)
                masks = [None if name in (None, EXAMPLES) else values[results[name]] for name in (term.where, term.per)]
                value = term_value(term, self.losses_of[term], prediction, target, *masks)
            report[of(step, term.name)] = value
            total = total + value * autodiff.number(term.weight, rounds)
        if training:
            with keras.StatelessScope(state_mapping=state) if state else nullcontext():
                total = sum((x for name in step.update for layer in self.owned[name] for x in layer.losses), total)
        return moved, {of(step, LOSS): total, **report}

    def judged(self, batch: Mapping[str, Any], rounds: Value, state: State = ()) -> list[dict[str, Any]]:
        """Every step's report, on weights that stay as they are."""
        inputs, given = self.inputs(batch, rounds, 0), [*state, *self.draws(rounds, 0)]
        return [self.objective(s, inputs, {}, rounds, training=False, state=given)[1] for s in self.plan.steps]

    def reported(self, step: TrainStep) -> list[str]:
        """The names of what a step reports."""
        return [of(step, LOSS), *(of(step, term.name) for term in step.minimize)]

    def loss_of(self, reports: Iterable[Mapping[str, Any]]) -> Any:
        """The sum of what the steps minimise."""
        return sum(report[of(step, LOSS)] for step, report in zip(self.plan.steps, reports, strict=True))

    def report(self, reports: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Take what the steps report into the means over the epoch, which are returned."""
        values = {name: value for report in reports for name, value in report.items()}
        values = {LOSS: self.loss_of(reports)} | values
        # The round that went to NaN stays to be seen, not those after it, in which everything is.
        counts = ops.cast(ops.isfinite(self.total.total), "float32")
        means = {LOSS: self.total, **self.means}
        for name, value in values.items():
            means[name].update_state(ops.where(counts > 0, value, 0.0), sample_weight=counts)
        return {name: mean.result() for name, mean in means.items() if name in values}

    def constrain(self, step: TrainStep, variable: Any, value: Any) -> Any:
        """What a step's constraint makes of a new value of a variable."""
        if (limit := step.constraint) is None:
            return value
        if limit.clip is not None:
            return ops.clip(value, -limit.clip, limit.clip)
        assert limit.max_norm is not None
        if len(variable.shape) < 2:
            return value
        lengths = ops.norm(value, axis=tuple(range(len(variable.shape) - 1)), keepdims=True)
        return value * (limit.max_norm / ops.maximum(lengths, limit.max_norm))

    # --- averages -----------------------------------------------------------------------------------------------------

    def averaged(self, network: str, rounds: Value) -> list[Any]:
        """What the running averages of a network's variables become after so many rounds, from those before."""
        kept = ops.where(rounds <= 1, 0.0, self.plan.averages[network])
        pairs = zip(self.averages[network], self.variables_of([network]), strict=True)
        return [kept * mean + (1 - kept) * variable for mean, variable in pairs]

    def move_averages(self, rounds: Value) -> None:
        """Take the weights after so many rounds into the running averages."""
        for network, means in self.averages.items():
            for mean, value in zip(means, self.averaged(network, rounds), strict=True):
                mean.assign(value)

    def read_averages(self, network: str) -> list[Any]:
        """The running averages of a network's variables, after all rounds that were done."""
        return list(self.averages[network])

    def kept(self) -> State:
        """Variables that have a running average, with it; none before the first round."""
        if getattr(self, "optimizer", None) is None or int(self.rounds()) == 0:
            return []
        return [p for n in self.averages for p in zip(self.variables_of([n]), self.read_averages(n), strict=True)]

    def settle(self) -> None:
        """Put running averages of networks, where they are kept, in the place of their weights."""
        for variable, mean in self.kept():
            variable.assign(mean)

    def _average(self, network: str) -> list[Any]:
        return [
            self.add_weight(
                shape=v.shape, initializer="zeros", trainable=False, name=f"average_{v.path}".replace("/", "_")
            )
            for v in self.variables_of([network])
        ]

    # --- sampling -----------------------------------------------------------------------------------------------------

    def sample(
        self,
        count: int,
        *,
        seed: int = 0,
        result: str | None = None,
        given: Mapping[str, Any] | None = None,
        steps: int | None = None,
    ) -> Any:
        """``count`` examples of a result that depends on nothing but what is drawn, as an array.

        ``given`` are values for drawn inputs (labels, say). With ``steps``, the examples are rows of so many, from one
        draw to another. Networks with a running average use it.
        """
        name = result or drawable(self.plan)[0]
        inputs = {}
        for i, (key, drawn) in enumerate(self.plan.drawn.items()):
            value = (given or {}).get(key)
            if value is None:
                amount = count if steps is None else 2 * count // steps
                value = autodiff.draw(drawn, (amount, *self.plan.body.inputs[key].shape), Seed(seed, i))
                if steps is not None:
                    first, last = np.split(ops.convert_to_numpy(value), 2)
                    value = along(first, last, steps, is_normal=drawn.kind == "normal")
            inputs[Tensor(key)] = ops.convert_to_tensor(value)
        return self.results(inputs, [name])[0]

    def results(self, inputs: Values, names: list[str]) -> list[Any]:
        """Named results, of the inputs that they need, as arrays; networks as in inference, with their averages."""
        return self.tensors(inputs, [self.plan.results[name] for name in names])

    def tensors(self, inputs: Values, targets: list[Tensor]) -> list[Any]:
        """The same of any tensors of the forward graph."""
        given = [*self.kept(), *self.draws(0, 0)]
        _, values = self.body(inputs, targets, {}, training=False, mapping=given)
        return [ops.convert_to_numpy(values[tensor]) for tensor in targets]


def of(step: TrainStep, word: str) -> str:
    """What a figure of a step is called; that of a step without a name as it is."""
    return f"{step.name}.{word}" if step.name else word


def penalty(gradient: Value, norm: float) -> Any:
    """(‖gradient‖ - norm)², the mean over the batch."""
    squares = ops.sum(ops.square(ops.cast(gradient, "float32")), axis=tuple(range(1, len(gradient.shape))))
    # The root has no gradient at 0.
    return ops.mean(ops.square(ops.sqrt(ops.maximum(squares, TINY)) - norm))
