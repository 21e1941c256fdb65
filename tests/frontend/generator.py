"""Random well-formed specs: at every step an op, a structure or a call that the shapes so far allow.

A step is its text and what it does to a shape. It is tried before it is taken: the op's own rule may refuse, and
another is drawn. So what comes out is valid by construction, and says which shapes the model ends in. Keras is the
oracle, not this.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import ValidationError

from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError
from tests.frontend.draw import Draw, State, Unfit, resolved, written
from tests.frontend.vocabulary import WORDS, activation

MAX_LAYERS = 40
MAX_ELEMENTS = 3000
MAX_WEIGHTS = 20_000
PRELUDE = ("conv_bn", "bn_conv", "projection", "squeeze_excite")
SAME_SHAPE = ("relu", "tanh", "batch_norm", "layer_norm", "rms_norm", "dropout", "mish", "layer_scale")
ELEMENTWISE = ("add", "multiply", "average", "maximum", "minimum")

Keep = Callable[[TensorSpec, Any], bool]
"""Which results a step may have, given its input."""


def anything(x: TensorSpec, y: Any) -> bool:
    return True


def same_shape(x: TensorSpec, y: Any) -> bool:
    return isinstance(y, TensorSpec) and y == x


def same_positions(x: TensorSpec, y: Any) -> bool:
    return isinstance(y, TensorSpec) and y.rank == x.rank and y.spatial == x.spatial


@dataclass(frozen=True)
class Step:
    """What is written, and what comes of it. ``run`` raises Unfit or OpError."""

    text: Any
    run: Callable[[State], Any]


@dataclass(frozen=True)
class Case:
    """A spec, the shapes that its outputs should have, and the ops that were drawn for it."""

    text: str
    outputs: dict[str, tuple[int, ...]]
    ops: tuple[str, ...]


def applied(op: str, args: dict[str, Any], given: Any, state: State) -> Any:
    """The result of an op on a tensor or bundle: a spec, or a dict for a bundle."""
    found = Op.find(op)
    operands = list(given.values()) if isinstance(given, dict) else given if isinstance(given, list) else [given]
    if len(operands) > 1 and not found.is_merge and op not in ("attention", "additive_attention", "matmul", "dot"):
        raise Unfit
    try:
        made = found.model_validate(args)
    except ValidationError:
        raise Unfit from None
    out = made.infer(*operands)
    weights = made.weights(*operands)
    outputs = out if isinstance(out, tuple) else (out,)
    if any(not y.shape or math.prod(y.shape) > MAX_ELEMENTS or 0 in y.shape for y in outputs):
        raise Unfit
    if sum(math.prod(w.shape) for w in weights) > MAX_WEIGHTS or len(state.layers) >= MAX_LAYERS:
        raise Unfit
    state.layers.append(op)
    if weights:
        state.weights.append([(w.name, w.shape) for w in weights])
    return dict(enumerate(out)) if isinstance(out, tuple) else out


def run_all(steps: list[Step], state: State) -> Any:
    for step in steps:
        state.x = step.run(state)
    return state.x


def tensor(x: Any) -> TensorSpec:
    if not isinstance(x, TensorSpec):
        raise Unfit
    return x


class Generator:
    """One spec in the making."""

    def __init__(self, rng: random.Random):
        self.draw = Draw(rng)
        self.spec: dict[str, Any] = {"archspec": 1, "name": self.name()}
        self.blocks: list[Callable[[State], Step]] = []
        self.depth = 0
        self.params: dict[str, int] = {}

    def name(self) -> str:
        return self.draw.name(
            lambda n: (
                n in PRELUDE
                or Op.find(n) is not None
                or n in ("prev", "input", "do", "branches", "residual", "channels", "height", "width", "length", "rank")
                or n
                in ("as", "from", "when", "repeat", "each", "merge", "variant", "training", "source", "params", "macs")
            )
        )

    # -- single steps

    def leaf(self, state: State) -> Step:
        """A call of an op on the previous result."""
        x, draw = tensor(state.x), self.draw
        op = draw.choice(list(WORDS))
        if "int" in x.dtype and draw.chance(0.9):
            op = draw.choice(("embedding", "one_hot"))
        args = WORDS[op](draw, x)
        if args is None:
            raise Unfit
        return self.call(op, args)

    def call(self, op: str, args: dict[str, Any], **modifiers: Any) -> Step:
        main = Op.find(op).main
        text: Any = written(args)
        if main is not None and list(args) == [main] and not isinstance(args[main], dict) and self.draw.chance(0.6):
            text = text[main]
        whole = op if not args and not modifiers and self.draw.chance(0.8) else {op: text or None, **modifiers}
        if text == 0:
            whole = {op: 0, **modifiers}
        return Step(whole, lambda s: applied(op, resolved(args, s), s.x, s))

    def prelude(self, state: State) -> Step:
        """A call of a block that every file sees."""
        x, draw = tensor(state.x), self.draw
        if not 2 <= x.rank <= 4:
            raise Unfit
        which = draw.choice(PRELUDE)
        if which == "squeeze_excite":
            ratio = draw.integer(1, x.channels)

            def squeeze(s: State) -> Any:
                y = applied("global_avg_pool", {"keep": True}, s.x, s)
                y = applied("conv", {"filters": s.x.channels // ratio, "activation": "relu"}, y, s)
                y = applied("conv", {"filters": s.x.channels, "activation": "sigmoid"}, y, s)
                return applied("multiply", {}, [s.x, y], s)

            return Step({which: ratio}, squeeze)
        stride = draw.choice((1, 1, 2))
        width = draw.number(1, 8, x)
        if which == "projection":
            args: dict[str, Any] = {"channels": width, "stride": stride}
            kernel: Any = 1
        else:
            kernel = draw.choice((1, 3, [draw.integer(1, 3) for _ in x.spatial]))
            args = {"filters": width, "kernel": kernel, "stride": stride, "act": draw.choice(("linear", "silu"))}
            args["act"] = activation(draw) if draw.chance(0.5) else args["act"]

        def convolve(s: State) -> Any:
            if which == "bn_conv":
                applied("batch_norm", {}, s.x, s)
            y = applied("conv", {"filters": resolved(width, s), "kernel": kernel, "stride": stride}, s.x, s)
            return y if which == "bn_conv" else applied("batch_norm", {}, y, s)

        return Step({which: written(args)}, convolve)

    def naming(self, state: State) -> Step:
        """A step that gives its result a name."""
        name = self.name()
        step = self.step(state)

        def run(s: State) -> Any:
            s.names[name] = step.run(s)
            return s.names[name]

        text = step.text if isinstance(step.text, dict) and "as" not in step.text else None
        if text is None:
            text = {step.text: None} if isinstance(step.text, str) else {"do": [step.text]}
        return Step({**text, "as": name}, run)

    def elsewhere(self, state: State) -> Step:
        """A step on a named result."""
        if not state.names:
            raise Unfit
        ref = self.draw.choice(list(state.names))
        x = tensor(state.names[ref])
        step = self.leaf(state.within(x)) if self.draw.chance(0.8) else Step({"as": self.name()}, lambda s: s.x)
        text = {step.text: None} if isinstance(step.text, str) else dict(step.text)
        if "prev." in str(text):
            raise Unfit
        return Step({**text, "from": ref}, lambda s: step.run(s.within(s.names[ref])))

    def maybe(self, state: State) -> Step:
        """A step with ``when``."""
        step = self.step(state)
        options = [
            ("=prev.rank > 2", lambda s: s.x.rank > 2),
            ("=prev.channels % 2 == 0", lambda s: not s.x.channels % 2),
        ]
        options += [(True, lambda s: True), (False, lambda s: False)]
        for value in self.draw.visible:
            options.append((f"={value} > 2", lambda s, value=value: s.values[value] > 2))
        text, holds = self.draw.choice(options)
        whole = {step.text: None} if isinstance(step.text, str) else step.text
        if not isinstance(whole, dict) or {"when", "as", "from", "repeat", "each"} & whole.keys():
            raise Unfit

        def run(s: State) -> Any:
            tensor(s.x)
            return step.run(s) if holds(s) else s.x

        return Step({**whole, "when": text}, run)

    def operands(self, state: State) -> Step:
        """A merge, or an op of two inputs, on results by name."""
        refs = [r for r, spec in state.names.items() if isinstance(spec, TensorSpec)]
        if not refs:
            raise Unfit
        draw = self.draw
        ref = draw.choice(refs)
        op = draw.choice(("concat", "subtract", "matmul", "attention", "additive_attention", "dot", *ELEMENTWISE))
        if op == "attention":
            text: Any = {op: 1, "from": {"query": "prev", "value": ref}}
            return Step(text, lambda s: applied(op, {"heads": 1}, [tensor(s.x), s.names[ref]], s))
        if op in ("matmul", "additive_attention", "dot"):
            both = {"from": ["prev", ref]}
            return Step({op: None, **both}, lambda s: applied(op, {}, [tensor(s.x), s.names[ref]], s))
        return Step({op: ["prev", ref]}, lambda s: applied(op, {}, [tensor(s.x), s.names[ref]], s))

    # -- structures

    def chain(self, state: State, length: int, keep: Keep = anything) -> list[Step]:
        """Steps on ``state``, which is behind them afterwards; the result of each is one that ``keep`` lets pass."""
        steps: list[Step] = []
        start = state.x
        for _ in range(length):
            for _ in range(12):
                known, layers, weights = dict(state.names), len(state.layers), len(state.weights)
                try:
                    step = self.step(state)
                    del state.layers[layers:], state.weights[weights:]
                    before = state.x
                    y = step.run(state)
                    if not keep(start, y):
                        raise Unfit
                except (Unfit, OpError):
                    state.names = known
                    del state.layers[layers:], state.weights[weights:]
                    continue
                state.x = y
                steps.append(step)
                if isinstance(y, dict):
                    steps.append(self.gathered(state, before))
                    state.x = steps[-1].run(state)
                break
        return steps

    def gathered(self, state: State, before: Any) -> Step:
        """What makes one tensor of a bundle."""
        for op in self.draw.shuffled(("concat", *ELEMENTWISE)):
            layers, weights = len(state.layers), len(state.weights)
            try:
                applied(op, {}, state.x, state)
            except (Unfit, OpError):
                continue
            finally:
                del state.layers[layers:], state.weights[weights:]
            return Step(op, lambda s, op=op: applied(op, {}, s.x, s))
        raise Unfit

    def step(self, state: State) -> Step:
        """Any step."""
        if self.depth >= 3 or self.draw.chance(0.45):
            return self.leaf(state)
        self.depth += 1
        visible = dict(self.draw.visible)
        kinds = (
            self.do, self.branches, self.residual, self.residual, self.repeat, self.repeat, self.each, self.prelude,
            self.naming, self.naming, self.elsewhere, self.maybe, self.operands, self.block, self.block, self.network,
            self.parts, self.pyramid, self.excited,
        )  # fmt: skip
        layers, weights = len(state.layers), len(state.weights)
        try:
            return self.draw.choice(kinds)(state)
        finally:
            self.depth -= 1
            self.draw.visible = visible
            del state.layers[layers:], state.weights[weights:]

    def do(self, state: State) -> Step:
        inner = state.within(state.x)
        steps = self.chain(inner, self.draw.integer(0, 3))
        texts = [s.text for s in steps]
        text = texts if texts and self.draw.chance(0.3) else {"do": texts}
        new = [n for n in inner.names if n not in state.names]

        def run(s: State) -> Any:
            within = s.within(s.x)
            y = run_all(steps, within)
            s.names.update({n: within.names[n] for n in new if n in within.names})
            return y

        return Step(text, run)

    def branches(self, state: State) -> Step:
        tensor(state.x)
        op = self.draw.choice(("concat", "concat", "subtract", *ELEMENTWISE, None))
        keep = same_positions if op in ("concat", None) else same_shape
        count = 2 if op == "subtract" else self.draw.integer(1, 3)
        chains = [self.chain(state.within(state.x), self.draw.integer(0, 2), keep) for _ in range(count)]

        def run(s: State) -> Any:
            results = [tensor(run_all(chain, s.within(s.x))) for chain in chains]
            return dict(enumerate(results)) if op is None else applied(op, {}, results, s)

        text = {"branches": [[step.text for step in chain] for chain in chains]}
        return Step(text if op is None else {**text, "merge": op}, run)

    def residual(self, state: State) -> Step:
        x, draw = tensor(state.x), self.draw
        op = draw.choice((None, None, "add", "concat", "multiply", "average", "maximum", "subtract"))
        project = draw.choice((None, None, "auto", "none", "chain"))
        keep = anything if op in (None, "add", "average", "maximum", "subtract") and project != "none" else same_shape
        steps = self.chain(state.within(x), draw.integer(1, 3), same_positions if op == "concat" else keep)
        merge = op or "add"
        through: list[Step] = []
        if project == "chain":
            y = run_all(steps, state.within(x))
            fitting = self.call("conv", {"filters": tensor(y).channels})
            through = [*self.chain(state.within(x), draw.integer(0, 1), same_shape), fitting]

        def run(s: State) -> Any:
            y = tensor(run_all(steps, s.within(s.x)))
            skip = tensor(s.x)
            found = Op.find(merge)
            if found.is_projectable and project != "none":
                try:
                    found.model_validate({}).infer(skip, y)
                except OpError:
                    skip = run_all(through, s.within(skip)) if through else projected(skip, y, s)
            return applied(merge, {}, [skip, y], s)

        texts = [step.text for step in steps]
        body: Any = texts if project is None else {"body": texts, "project": project}
        if through:
            body["project"] = [step.text for step in through]
        return Step({"residual": body} if op is None else {"residual": body, "merge": op}, run)

    def excited(self, state: State) -> Step:
        """A gate over channels: what broadcasting is for."""
        x = tensor(state.x)
        if not 2 <= x.rank <= 4:
            raise Unfit
        gate = self.call("conv", {"filters": x.channels, "activation": "sigmoid"})

        def run(s: State) -> Any:
            inner = s.within(applied("global_max_pool", {"keep": True}, s.x, s))
            return applied("multiply", {}, [s.x, gate.run(inner)], s)

        return Step({"residual": [{"global_max_pool": {"keep": True}}, gate.text], "merge": "multiply"}, run)

    def loop(self) -> tuple[Any, dict[str, list[Any]]]:
        """What a loop is written as, and the values of its variables (``""`` for none)."""
        draw, count = self.draw, self.draw.integer(0, 3)
        if draw.chance(0.3):
            return count, {"": list(range(count))}
        name = self.name()
        values: list[Any] = [draw.integer(1, 6) for _ in range(count)]
        if draw.chance(0.3):
            values = list(range(count))
            return {name: count}, {name: values}
        if draw.chance(0.2):
            values = list(range(count, 0, -1))
            return {name: f"=range({count}, 0, -1)"}, {name: values}
        if draw.chance(0.4):
            other = self.name()
            more = [draw.integer(1, 6) for _ in range(count)]
            return {name: values, other: more}, {name: values, other: more}
        return {name: values}, {name: values}

    def turns(self, variables: dict[str, list[Any]]) -> list[dict[str, Any]]:
        count = len(next(iter(variables.values())))
        return [{name: values[i] for name, values in variables.items() if name} for i in range(count)]

    def repeat(self, state: State) -> Step:
        text, variables = self.loop()
        turns = self.turns(variables)
        first = turns[0] if turns else dict.fromkeys((n for n in variables if n), 1)
        self.draw.visible |= first
        inner = state.within(state.x, first)
        step = self.do(inner) if self.draw.chance(0.6) else self.leaf(inner)
        whole = {step.text: None} if isinstance(step.text, str) else step.text
        if not isinstance(whole, dict):
            whole = {"do": whole}

        def run(s: State) -> Any:
            x = s.x
            for turn in turns:
                x = step.run(s.within(x, turn))
            return x

        return Step({**whole, "repeat": text}, run)

    def each(self, state: State) -> Step:
        tensor(state.x)
        text, variables = self.loop()
        turns = self.turns(variables)
        if not turns:
            raise Unfit
        self.draw.visible |= turns[0]
        inner = state.within(state.x, turns[0])
        step = self.do(inner) if self.draw.chance(0.4) else self.leaf(inner)
        merge = self.draw.choice(("concat", "concat", None, *ELEMENTWISE))
        whole = {step.text: None} if isinstance(step.text, str) else step.text
        if not isinstance(whole, dict):
            whole = {"do": whole}
        keys = next(iter(variables.values()))
        keys = keys if len(set(keys)) == len(keys) else list(range(len(keys)))

        def run(s: State) -> Any:
            results = {key: tensor(step.run(s.within(s.x, turn))) for key, turn in zip(keys, turns, strict=True)}
            return results if merge is None else applied(merge, {}, results, s)

        return Step({**whole, "each": text} if merge is None else {**whole, "each": text, "merge": merge}, run)

    def parts(self, state: State) -> Step:
        """A split whose parts go separate ways."""
        x = tensor(state.x)
        if x.channels % 2:
            raise Unfit
        name, i, out = self.name(), self.name(), self.name()
        self.draw.visible |= {i: 0}
        inner = state.within(TensorSpec((*x.spatial, x.channels // 2), x.dtype), {i: 0})
        step = self.leaf(inner)
        whole = {step.text: None} if isinstance(step.text, str) else step.text
        if not isinstance(whole, dict) or "prev." in str(whole):
            raise Unfit
        text = [
            {"split": 2, "as": name},
            {**whole, "each": {i: 2}, "from": f"{name}[{i}]", "as": out, "merge": "concat"},
        ]

        def run(s: State) -> Any:
            halves = applied("split", {"parts": 2}, s.x, s)
            results = [tensor(step.run(s.within(half, {i: n}))) for n, half in halves.items()]
            s.names[out] = applied("concat", {}, results, s)
            s.names[f"{name}[1]"] = halves[1]
            return s.names[out]

        return Step(text, run)

    def pyramid(self, state: State) -> Step:
        """Down and up again, with skips by index."""
        x, draw = tensor(state.x), self.draw
        levels = draw.integer(1, 2)
        if not 2 <= x.rank <= 4 or any(n % 2**levels for n in x.spatial):
            raise Unfit
        i, skip, width = self.name(), self.name(), draw.integer(1, 3)
        down = [{"conv": {"filters": f"={width} + {i}", "kernel": 3}, "as": skip}, {"max_pool": {"padding": "valid"}}]
        up = [{"conv_transpose": f"={width} + {i}"}, {"concat": [f"{skip}[{i}]", "prev"]}, "relu"]
        text = [{"do": down, "repeat": {i: levels}}, {"do": up, "repeat": {i: list(range(levels))[::-1]}}]

        def run(s: State) -> Any:
            y, skips = s.x, []
            for n in range(levels):
                skips.append(applied("conv", {"filters": width + n, "kernel": 3}, y, s))
                y = applied("max_pool", {"padding": "valid"}, skips[-1], s)
            for n in reversed(range(levels)):
                y = applied("conv_transpose", {"filters": width + n}, y, s)
                y = applied("relu", {}, applied("concat", {}, [skips[n], y], s), s)
            s.names[f"{skip}[0]"] = skips[0]
            return y

        return Step(text, run)

    # -- calls

    def block(self, state: State) -> Step:
        """A call of a block: of one that is there, or of a new one."""
        if self.blocks and self.draw.chance(0.5):
            return self.draw.choice(self.blocks)(state)
        x, draw, name = tensor(state.x), self.draw, self.name()
        numbers = {self.name(): draw.integer(1, 5) for _ in range(draw.integer(0, 2))}
        unit = self.name() if draw.chance(0.3) else None
        outer, draw.visible = draw.visible, {**self.params, **numbers}
        inner = State(x, x, {**state.values, **numbers}, {}, state.weights, state.layers)
        steps = self.chain(inner, draw.integer(1, 3))
        draw.visible = outer
        if unit:
            steps.append(Step(unit, lambda s: applied(s.values[unit], {}, tensor(s.x), s)))
        forms = {
            n: draw.choice((v, "int", {"type": "int", "default": v, "min": 1, "max": 9})) for n, v in numbers.items()
        }
        params = {**forms, **({unit: draw.choice(("block", {"type": "block", "default": "relu"}))} if unit else {})}
        text: dict[str, Any] = {"params": params} if params else {}
        self.spec.setdefault("blocks", {})[name] = {**text, "body": [s.text for s in steps]}

        def call(state: State) -> Step:
            args: dict[str, Any] = {}
            values: dict[str, Any] = {}
            for n, v in numbers.items():
                values[n] = v
                if forms[n] == "int" or draw.chance(0.5):
                    args[n] = values[n] = draw.integer(1, 5)
            if unit:
                values[unit] = "relu"
                if params[unit] == "block" or draw.chance(0.5):
                    args[unit] = values[unit] = draw.choice(SAME_SHAPE[:-3])
            whole: Any = {name: args} if args else name
            if len(args) == 1 and next(iter(args)) == next(iter(params)) and draw.chance(0.5):
                whole = {name: next(iter(args.values()))}

            def run(s: State) -> Any:
                x = tensor(s.x)
                return run_all(steps, State(x, x, {**self.params, **values}, {}, s.weights, s.layers))

            return Step(whole, run)

        self.blocks.append(call)
        return call(state)

    def network(self, state: State) -> Step:
        """A call of a network, whose weights are the same in every call."""
        x, draw, name = tensor(state.x), self.draw, self.name()
        outer, draw.visible = draw.visible, dict(self.params)
        steps = self.chain(State(x, x, dict(self.params), {}, state.weights, state.layers), draw.integer(1, 3))
        draw.visible = outer
        self.spec.setdefault("networks", {})[name] = {"body": [s.text for s in steps]}
        owned: list[Any] = []

        def run(s: State) -> Any:
            x, first = tensor(s.x), len(s.weights)
            y = run_all(steps, State(x, x, dict(self.params), {}, s.weights, s.layers))
            if owned and owned[0] != s.weights[first:]:
                raise Unfit
            owned[:] = owned or [s.weights[first:]]
            return y

        def call(state: State) -> Step:
            return Step(name, run)

        self.blocks.append(call)
        return call(state)

    # -- the whole

    def case(self) -> Case:
        draw, spec = self.draw, self.spec
        self.params = {self.name(): draw.integer(1, 8) for _ in range(draw.integer(0, 2))}
        draw.visible = dict(self.params)
        if self.params:
            spec["params"] = dict(self.params)
        rank = draw.choice((1, 2, 2, 2, 3, 3, 3, 4))
        sizes = [draw.integer(1, (12, 12, 10, 8, 5)[rank]) for _ in range(rank)]
        dtype = "int32" if rank == 1 and draw.chance(0.4) else "float32"
        shape: Any = [f"={n}" if (n := next((p for p, v in self.params.items() if v == s), "")) else s for s in sizes]
        spec["inputs"] = {self.name(): {"shape": shape, "dtype": dtype} if dtype != "float32" else shape}
        if draw.chance(0.2):
            other = self.name()
            spec["inputs"][other] = sizes
        if draw.chance(0.3):
            spec["defaults"] = draw.choice(({"conv": {"bias": False}}, {"dense": {"activation": "relu"}}))
        x = TensorSpec(tuple(sizes), dtype)
        names = {
            n: TensorSpec(tuple(sizes), dtype if n == next(iter(spec["inputs"])) else "float32") for n in spec["inputs"]
        }
        state = State(x, x, dict(self.params), names, [], [])
        if len(names) > 1:
            # Without from: there is no previous step, nor one input.
            state.input = TensorSpec((0,))
            start = next(iter(names))
            body = [{"from": start, "as": self.name()}]
            state.names[body[0]["as"]] = x
        else:
            body = []
        if "int" in dtype:
            step = self.call("embedding", {"vocab": 11, "dim": draw.integer(1, 6)})
            state.x = step.run(state)
            body.append(step.text)
        steps = self.chain(state, draw.integer(1, 6))
        spec["body"] = body + [s.text for s in steps]
        outputs = {"output": state.x.shape}
        if draw.chance(0.5):
            outputs = {}
            spec["heads"] = {}
            for n in range(draw.integer(1, 3)):
                head = self.name()
                inner = state.within(state.x)
                texts = [s.text for s in self.chain(inner, draw.integer(0, 2))]
                units = draw.integer(2, 5)
                last = self.call("dense", {"units": units, "activation": "softmax"})
                y = last.run(inner)
                form: Any = [*texts, last.text]
                if draw.chance(0.6):
                    form = {"body": form, "loss": "categorical_crossentropy", "weight": 0.5, "train_only": n > 0}
                spec["heads"][head] = form
                outputs[head] = y.shape
        order = ("archspec", "name", "params", "inputs", "defaults", "blocks", "networks", "body", "heads")
        text = yaml.dump({k: spec[k] for k in order if k in spec}, Dumper=Plain, sort_keys=False, width=110)
        return Case(text, outputs, tuple(state.layers))


def projected(skip: TensorSpec, y: TensorSpec, state: State) -> TensorSpec:
    """What ``project: auto`` makes of a skip."""
    strides = range(1, max(skip.shape) + 1)
    if skip.rank != y.rank or y.rank < 2:
        raise Unfit
    if not any(all(-(-a // s) == b for a, b in zip(skip.spatial, y.spatial, strict=True)) for s in strides):
        raise Unfit
    state.layers += ["conv", "batch_norm"]
    state.weights.append(("projection", skip.channels, y.channels))
    return y


class Plain(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):
    """YAML without anchors, and with short lists on one line."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def generate(rng: random.Random) -> Case:
    """A random well-formed spec."""
    while True:
        try:
            return Generator(rng).case()
        except (Unfit, OpError):
            continue
