"""Rounds of updates as a keras.Model: its ``train_step`` runs the steps of a spec's ``train`` section under ``fit``.

Nothing here knows what is trained: networks, forward graph, terms, turns and constraints are the graph's. Everything
that a round draws follows from the seed and the number of rounds that were done, so that number, the weights and the
pools are all that a checkpoint needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Any

import keras
import tensorflow as tf

from archspec.backend.build import compile as built
from archspec.ir.graph import Graph, Tensor
from archspec.ir.training import GradientPenalty, Schedule, Term, TrainStep, drawable
from archspec.tasks.adversarial.forward import Forward, Values
from archspec.tasks.adversarial.optimizers import StepOptimizers
from archspec.tasks.adversarial.pool import Pool

FEW = 10_000
"""More turns than a step takes in a round: the draws of steps lie this far apart."""
TINY = 1e-24


class Rounds(keras.Model):
    """Networks that are trained by steps. ``networks`` is the Keras model of all of them, side by side."""

    def __init__(self, graph: Graph, networks: keras.Model | None = None, *, seed: int = 0):
        super().__init__(name=f"{graph.name}_rounds")
        assert graph.training is not None
        self.graph, self.plan, self.seed = graph, graph.training, seed
        self.networks = built(graph) if networks is None else networks
        updated = {name for step in self.plan.steps for name in step.update}
        self.owned = {
            name: [self.networks.get_layer(n.layer) for n in network.owners() if n.weights]
            for name, network in graph.networks.items()
        }
        self.forward = Forward(self.plan, {x.name: x for x in self.networks.layers}, updated)
        self.losses_of = {
            term: term.loss.lower(from_logits=term.from_logits)
            for step in self.plan.steps
            for term in step.minimize
            if not isinstance(term.loss, GradientPenalty)
        }
        self.pools = {
            node.name: Pool(self, node, node.op.size)  # type: ignore[attr-defined]
            for node in self.forward.held
            if hasattr(node.op, "size")
        }
        self.averages = {name: self._average(name) for name in self.plan.averages}
        self.means = {
            name: keras.metrics.Mean(name=name)
            for step in self.plan.steps
            for name in (
                f"{step.name}.loss",
                *(f"{step.name}.{term.name}" for term in step.minimize),
                *(f"{step.name}.gradient_norm.{network}" for network in step.update),
            )
        }
        self.total = keras.metrics.Mean(name="loss")
        self.built = True

    # --- what Keras asks ----------------------------------------------------------------------------------------------

    def compile(self, optimizer: Any = "adam", loss: Any = None, metrics: Any = None, **options: Any) -> None:
        """As ``keras.Model.compile``. ``optimizer`` is one for each step, or one of which each step has its own copy.

        Losses are the spec's: ``loss`` and ``metrics`` are not used.
        """
        options = {k: v for k, v in options.items() if k in ("run_eagerly", "steps_per_execution", "jit_compile")}
        given = optimizer if isinstance(optimizer, (list, tuple)) else keras.optimizers.get(optimizer)
        optimizers = StepOptimizers(given, [self.variables_of(step.update) for step in self.plan.steps])
        super().compile(optimizer=optimizers, **options)

    @property
    def metrics(self) -> list[Any]:
        """The sum of all losses, each step's, each term's, and the norm of each network's gradient."""
        return [self.total, *self.means.values()]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """The networks side by side, on their own inputs."""
        return self.networks(inputs, training=training)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """A layer of a network."""
        return self.networks.get_layer(name, index)

    def variables_of(self, networks: Iterable[str]) -> list[Any]:
        """Variables of networks that training changes."""
        return [v for name in networks for layer in self.owned[name] for v in layer.trainable_variables]

    # --- a round ------------------------------------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Any]:
        """One round on one batch."""
        batch = self._batch(data)
        rounds = self.optimizer.iterations.value
        held = self.hold(batch, rounds)
        if self.plan.together:
            found = [self.gradients(step, self.inputs(batch, rounds, 0), held, rounds) for step in self.plan.steps]
            for i, step in enumerate(self.plan.steps):
                self._apply(i, step, *found[i][:2])
            reports = [report for *_, report in found]
        else:
            reports = [self._turns(i, step, batch, held, rounds) for i, step in enumerate(self.plan.steps)]
        for network, share in self.plan.averages.items():
            kept = tf.where(rounds == 0, 0.0, share)
            for mean, variable in zip(self.averages[network], self.variables_of([network]), strict=True):
                mean.assign(kept * mean + (1 - kept) * variable)
        self.optimizer.iterations.assign_add(1)
        return self._reported(reports)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Every term, on weights that stay as they are."""
        batch, rounds = self._batch(data), self.optimizer.iterations.value
        inputs, reports = self.inputs(batch, rounds, 0), []
        for step in self.plan.steps:
            _, values, points = self._evaluate(step, inputs, {}, training=False)
            terms = self._terms(step, values, points, rounds)
            total = tf.add_n([weighted for _, weighted in terms.values()])
            reports.append({f"{step.name}.loss": total, **{name: value for name, (value, _) in terms.items()}})
        return self._reported(reports)

    def inputs(self, batch: Mapping[str, Any], rounds: Any, draw: Any) -> Values:
        """The inputs of the forward graph: the batch, and what is drawn; ``draw`` tells draws of a round apart."""
        out = {Tensor(name): value for name, value in batch.items()}
        size = tf.shape(next(iter(batch.values())))[0]
        for i, (name, drawn) in enumerate(self.plan.drawn.items()):
            if name not in batch:
                shape = (size, *self.plan.body.inputs[name].shape)
                seed = tf.stack([self.seed + i * 7919 + tf.cast(draw, tf.int32) * 104_729, tf.cast(rounds, tf.int32)])
                out[Tensor(name)] = _draw(drawn, shape, seed)
        return out

    def hold(self, batch: Mapping[str, Any], rounds: Any) -> Values:
        """What the round's beginning gives to all of its steps."""
        if not self.forward.held:
            return {}
        _, values = self.forward(self.inputs(batch, rounds, 0), [n.inputs[0] for n in self.forward.held], {})
        out = {}
        for i, node in enumerate(self.forward.held):
            value = tf.stop_gradient(values[node.inputs[0]])
            if pool := self.pools.get(node.name):
                value = pool.exchange(value, tf.stack([self.seed + i, tf.cast(rounds, tf.int32)]))
            out[Tensor(node.name)] = value
        return out

    def gradients(
        self, step: TrainStep, inputs: Values, held: Values, rounds: Any
    ) -> tuple[list[Any], list[tuple[Any, Any]], dict[str, Any]]:
        """Gradients of a step at the weights as they are, what its networks' statistics become, what is reported."""
        variables = self.variables_of(step.update)
        with tf.GradientTape() as tape:
            scope, values, points = self._evaluate(step, inputs, held, training=True)
            terms = self._terms(step, values, points, rounds)
            total = tf.add_n([weighted for _, weighted in terms.values()])
            decay = [x for name in step.update for layer in self.owned[name] for x in layer.losses]
            total = total + tf.add_n(decay) if decay else total
        gradients = tape.gradient(total, [v.value for v in variables], unconnected_gradients="zero")
        report = {f"{step.name}.loss": total, **{name: value for name, (value, _) in terms.items()}}
        first = 0
        for name in step.update:
            last = first + len(self.variables_of([name]))
            report[f"{step.name}.gradient_norm.{name}"] = tf.linalg.global_norm(gradients[first:last])
            first = last
        states = [v for name in step.update for layer in self.owned_all(name) for v in layer.non_trainable_variables]
        moved = [(v, new) for v in states if (new := scope.get_current_value(v)) is not None]
        return gradients, moved, report

    def owned_all(self, network: str) -> list[Any]:
        """All layers of a network, those without weights too: dropout has the state of its generator."""
        return [self.networks.get_layer(n.layer) for n in self.graph.networks[network].owners()]

    def _turns(self, i: int, step: TrainStep, batch: Mapping[str, Any], held: Values, rounds: Any) -> dict[str, Any]:
        """All turns of a step; the last one's report."""

        def turn(n: Any) -> dict[str, Any]:
            inputs = self.inputs(batch, rounds, tf.where(n == 0, 0, i * FEW + n))
            gradients, moved, report = self.gradients(step, inputs, held, rounds)
            self._apply(i, step, gradients, moved)
            return report

        if step.turns == 1:
            return turn(tf.constant(0))
        names = self.names(step)
        turns = tf.cast(at(step.turns, rounds), tf.int32)

        def body(n: Any, *_: Any) -> tuple[Any, ...]:
            report = turn(n)
            return (n + 1, *(report[name] for name in names))

        def following(n: Any, *before: Any) -> tuple[Any, ...]:
            # A turn that went to NaN stays to be seen.
            n, *after = body(n)
            is_finite = tf.math.is_finite(tf.add_n(list(before)))
            return (n, *(tf.where(is_finite, new, old) for new, old in zip(after, before, strict=True)))

        start = (tf.constant(0), *(tf.constant(0.0) for _ in names))
        shapes = (tf.TensorShape(()),) * len(start)
        _, *last = tf.while_loop(
            lambda n, *_: n < turns, following, start, shape_invariants=shapes, parallel_iterations=1
        )
        return dict(zip(names, last, strict=True))

    def names(self, step: TrainStep) -> list[str]:
        """What a step reports."""
        return [name for name in self.means if name.split(".")[0] == step.name]

    def _apply(self, i: int, step: TrainStep, gradients: list[Any], moved: list[tuple[Any, Any]]) -> None:
        variables = self.variables_of(step.update)
        self.optimizer.steps[i].apply(gradients, variables)
        for variable, value in moved:
            variable.assign(value)
        if (limit := step.constraint) is None:
            return
        for variable in variables:
            if limit.clip is not None:
                variable.assign(tf.clip_by_value(variable.value, -limit.clip, limit.clip))
            elif len(variable.shape) > 1:
                axes = list(range(len(variable.shape) - 1))
                variable.assign(tf.clip_by_norm(variable.value, limit.max_norm, axes=axes))

    def _evaluate(self, step: TrainStep, inputs: Values, held: Values, *, training: bool) -> tuple[Any, Values, Any]:
        """The results that a step's terms need, and for each gradient penalty the gradient at its point."""
        results = self.plan.results
        named = {o for term in step.minimize for o in term.operands if isinstance(o, str)}
        penalties = [term for term in step.minimize if isinstance(term.loss, GradientPenalty)]
        targets = [results[name] for name in named]
        with ExitStack() as stack:
            inner = stack.enter_context(tf.GradientTape(persistent=True)) if penalties else None
            watched = {results[str(term.operands[1])]: inner for term in penalties}
            scope, values = self.forward(inputs, targets, held, watched, training=training)
        points = {}
        for term in penalties:
            result, point = (values[results[str(o)]] for o in term.operands)
            assert inner is not None
            points[term] = inner.gradient(result, point)
        return scope, values, points

    def _terms(self, step: TrainStep, values: Values, points: Mapping[Term, Any], rounds: Any) -> dict[str, Any]:
        """Each term's value, and with its weight, by the name it is reported under."""
        out = {}
        for term in step.minimize:
            if isinstance(term.loss, GradientPenalty):
                value = penalty(points[term], term.loss.norm)
            else:
                prediction = values[self.plan.results[str(term.operands[0])]]
                target = term.operands[1]
                wanted = (
                    values[self.plan.results[target]]
                    if isinstance(target, str)
                    else tf.fill(tf.shape(prediction), target)
                )
                value = self.losses_of[term](wanted, prediction)
            out[f"{step.name}.{term.name}"] = value, value * at(term.weight, rounds)
        return out

    def _batch(self, data: Any) -> dict[str, Any]:
        x = keras.utils.unpack_x_y_sample_weight(data)[0]
        wanted = [name for name in self.plan.body.inputs if name not in self.plan.drawn]
        wanted += [
            name for name, d in self.plan.drawn.items() if d.kind == "label" and isinstance(x, dict) and name in x
        ]
        return {name: x[name] for name in wanted} if isinstance(x, dict) else dict(zip(wanted, [x], strict=True))

    def _reported(self, reports: list[dict[str, Any]]) -> dict[str, Any]:
        total = tf.add_n([r[f"{s.name}.loss"] for s, r in zip(self.plan.steps, reports, strict=True)])
        # The round that went to NaN stays to be seen, not those after it, in which everything is.
        counts = tf.cast(tf.math.is_finite(self.total.total.value), tf.float32)
        for metric, value in [
            (self.total, total),
            *((self.means[name], value) for report in reports for name, value in report.items()),
        ]:
            metric.update_state(tf.where(counts > 0, value, 0.0), sample_weight=counts)
        seen = {name for report in reports for name in report}
        return {"loss": self.total.result(), **{n: m.result() for n, m in self.means.items() if n in seen}}

    def _average(self, network: str) -> list[Any]:
        return [
            self.add_weight(
                shape=v.shape, initializer="zeros", trainable=False, name=f"average_{v.path}".replace("/", "_")
            )
            for v in self.variables_of([network])
        ]

    # --- sampling -----------------------------------------------------------------------------------------------------

    def sample(
        self, count: int, *, seed: int = 0, result: str | None = None, given: Mapping[str, Any] | None = None
    ) -> Any:
        """``count`` examples of a result that depends on nothing but what is drawn, as an array.

        ``given`` are values for drawn inputs (labels, say). Networks with a running average use it.
        """
        name = result or drawable(self.plan)[0]
        inputs = {}
        for i, (key, drawn) in enumerate(self.plan.drawn.items()):
            value = (given or {}).get(key)
            shape = (count, *self.plan.body.inputs[key].shape)
            drawn_now = _draw(drawn, shape, tf.constant([seed, i]))
            inputs[Tensor(key)] = drawn_now if value is None else tf.convert_to_tensor(value)
        return self.results(inputs, [name])[0]

    def results(self, inputs: Values, names: list[str]) -> list[Any]:
        """Named results, of the inputs that they need, as arrays; networks as in inference, with their averages."""
        targets = [self.plan.results[name] for name in names]
        mapping = [(variable, mean.value) for variable, mean in self._averaged()]
        _, values = self.forward(inputs, targets, {}, training=False, mapping=mapping)
        return [values[tensor].numpy() for tensor in targets]

    def settle(self) -> None:
        """Put running averages of networks, where they are kept, in the place of their weights."""
        for variable, mean in self._averaged():
            variable.assign(mean.value)

    def _averaged(self) -> list[tuple[Any, Any]]:
        """Variables that have a running average, with it; none before the first round."""
        optimizer = getattr(self, "optimizer", None)
        if optimizer is None or int(optimizer.iterations.numpy()) == 0:
            return []
        return [pair for n in self.averages for pair in zip(self.variables_of([n]), self.averages[n], strict=True)]


def penalty(gradient: Any, norm: float) -> Any:
    """(‖gradient‖ - norm)², the mean over the batch."""
    squares = tf.reduce_sum(tf.square(tf.cast(gradient, tf.float32)), axis=list(range(1, len(gradient.shape))))
    # The root has no gradient at 0.
    return tf.reduce_mean(tf.square(tf.sqrt(tf.maximum(squares, TINY)) - norm))


def at(number: float | Schedule, rounds: Any) -> Any:
    """A number in the round that ``rounds`` came before."""
    if not isinstance(number, Schedule):
        return tf.constant(number, tf.float32)

    def value(n: Any) -> Any:
        import numpy as np

        return np.float32(number.at(int(n)))

    found = tf.numpy_function(value, [rounds], tf.float32)
    found.set_shape(())
    return found


def _draw(drawn: Any, shape: tuple[Any, ...], seed: Any) -> Any:
    if drawn.kind == "normal":
        return tf.random.stateless_normal(shape, seed)
    if drawn.kind == "uniform":
        return tf.random.stateless_uniform(shape, seed, drawn.low, drawn.high)
    return tf.random.stateless_uniform(shape, seed, 0, drawn.classes, dtype=tf.int32)
