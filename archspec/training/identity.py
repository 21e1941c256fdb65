"""What makes a run the one that a checkpoint is of: its network, and the settings that may not change on the way.

Both outlive new versions of archspec: what is left at its default is not written down, so that an op, a loss or a
section that gets a new field is the same as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from archspec.data.arguments import written
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import Span
from archspec.ir.graph import Graph
from archspec.ir.training import ValueSchedule
from archspec.training.document import Train
from archspec.training.plan import Plan, vocabulary_file

FREE = frozenset(
    {"epochs", "patience", "checkpoint_steps", "steps_per_execution"}
    | {"devices", "sharding", "jit_compile", "deterministic"}
)
"""Settings of ``train`` that may change between a stop and ``resume``."""
ABSENT = object()
LONGEST = 80
"""Characters of a value that a message shows."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """What checkpoints are compared with. ``network`` is what new ones are given, ``older`` what those of earlier
    versions may have in its place; ``settings`` are plain values by their place in the run file."""

    network: str
    older: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def has_network(self, fingerprint: object) -> bool:
        """Whether a checkpoint's network is this one."""
        return fingerprint == self.network or fingerprint in self.older

    def changes(self, then: Mapping[str, Any]) -> list[str]:
        """What is not as it was, in words; of settings that did not exist then, those that are used."""
        usual = {f"train.{name}": _json(_plain(f.default)) for name, f in Train.model_fields.items()}
        out = []
        for name, now in self.settings.items():
            was = then.get(name, usual.get(name, ABSENT))
            if was is not ABSENT and was != now:
                out.append(f"{name} was {_short(was)} and is {_short(now)}")
        return out


def identity(plan: Plan) -> RunIdentity:
    """That of a run."""
    train, features = plan.spec.train, plan.features
    # A run directory keeps its vocabularies: a run that goes on reads what the first one fitted.
    kept = {part: vocabulary_file(part) for part in features.vocabularies}
    settings = {
        "data": _plain(plan.source.with_vocabularies(kept)),
        "vocabularies": {part: sha256(v.json.encode()).hexdigest() for part, v in features.vocabularies.items()},
        "examples": dict(features.splits),
        "class names": list(features.class_names),
        "augment": [_plain(step) for step in plan.pipeline.augment],
        **{f"train.{name}": _plain(getattr(train, name)) for name in Train.model_fields if name not in FREE},
        "train.task": _plain(plan.task),
        "evaluate.split": plan.split,
        "evaluate.transforms": [_plain(step) for step in plan.pipeline.eval_transforms],
    }
    older = (fingerprint(plan.graph, version=2), first_fingerprint(plan.graph))
    return RunIdentity(fingerprint(plan.graph), older, _json(settings))


def fingerprint(graph: Graph, version: int = 3) -> str:
    """What tells networks apart: ops with their arguments, wiring, weights, outputs, and how they are trained.

    Version 2 depended on the order in which an op declares its arguments.
    """
    nodes = [
        (n.name, n.layer, n.op.name, _plain(n.op), n.inputs, [(w.name, w.shape, w.trainable) for w in n.weights])
        for n in graph.nodes
    ]
    outputs = [(o.name, o.tensor, _plain(o.loss), o.weight, o.train_only) for o in graph.outputs]
    said: list[Any] = [nodes, outputs]
    if graph.training is not None:
        training = graph.training
        body = fingerprint(training.body, version)
        said += [body, _plain(training.results), _plain(training.drawn), _plain(training.steps)]
        said += [training.together, _plain(training.averages)]
    text = json.dumps(said, default=str, sort_keys=version > 2)
    return f"{version}:{sha256(text.encode()).hexdigest()}"


def first_fingerprint(graph: Graph) -> str:
    """``fingerprint`` as checkpoints had it before it left defaults out. (A field that an op got since stays out of it
    where it is declared with ``repr=False``.)"""
    digest = sha256()
    for node in graph.nodes:
        digest.update(repr((node.name, node.layer, node.op.name, node.op, node.inputs, node.weights)).encode())
    for output in graph.outputs:
        digest.update(repr((output.name, output.tensor, output.loss, output.weight, output.train_only)).encode())
    return digest.hexdigest()


def _plain(value: object) -> Any:
    """Plain values without what is at its default, without paths (data and weights may lie elsewhere later), and
    without places in texts."""
    if isinstance(value, Declaration):
        given = {name: getattr(value, name) for name in type(value).model_fields}
        paths = {name for name, held in given.items() if isinstance(held, Path)}
        nested = {name: _plain(held) for name, held in given.items() if isinstance(held, Declaration)}
        said = written(value)
        said = said.get(value.name, {}) if isinstance(said, dict) else {}
        arguments = said if isinstance(said, dict) else {str(value.main): said}
        return {value.name: {k: nested.get(k, v) for k, v in arguments.items() if k not in paths}}
    if isinstance(value, ValueSchedule):
        return value.text
    if isinstance(value, Path):
        return "a file"
    if isinstance(value, BaseModel):
        return {k: _plain(getattr(value, k)) for k, f in type(value).model_fields.items() if _is_given(value, k, f)}
    if is_dataclass(value) and not isinstance(value, type):
        held = {f.name: getattr(value, f.name) for f in fields(value)}
        usual = {f.name: f.default for f in fields(value) if f.default is not MISSING}
        given = {k: v for k, v in held.items() if not (k in usual and v == usual[k]) and not isinstance(v, Span)}
        return {type(value).__name__: {k: _plain(v) for k, v in given.items()}}
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    return value


def _is_given(value: Any, name: str, declared: Any) -> bool:
    return bool(declared.is_required() or getattr(value, name) != declared.default)


def _json(value: object) -> Any:
    """As it is when it was written and read."""
    return json.loads(json.dumps(value, default=str))


def _short(value: object) -> str:
    if value in (None, [], {}):
        return "not given"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
