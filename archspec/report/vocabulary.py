"""The vocabulary as records: what every op takes, computes and costs, read from its declaration."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from archspec.ir.declaration import Declaration
from archspec.ir.tensors import TensorSpec
from archspec.ops.base import Op, OpError, ports


@dataclass(frozen=True)
class Argument:
    """One field of an op. ``default`` is written as in YAML; None where the argument is required."""

    name: str
    type: str
    default: str | None
    doc: str


@dataclass(frozen=True)
class CallExample:
    """A call that the op accepts: one input spec for each port, and what comes out."""

    text: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    params: int


@dataclass(frozen=True)
class OpEntry:
    """One op. ``family`` is the module that declares it; ``costs`` are its formulas by name,
    those that are 0 left out; ``roles`` say where else than in a step it may stand."""

    name: str
    family: str
    summary: str
    doc: str
    main: str | None
    inputs: tuple[str, ...]
    arguments: tuple[Argument, ...]
    costs: dict[str, str]
    roles: tuple[str, ...]


def entry(op: type[Op]) -> OpEntry:
    """The record of one op."""
    names, required, variadic = ports(op)
    inputs = tuple(name if i < required else f"{name} (optional)" for i, name in enumerate(names))
    return OpEntry(
        name=op.name,
        family=op.__module__.rpartition(".")[2],
        summary=op.summary().replace("``", ""),
        doc=inspect.getdoc(op) or "",
        main=op.main,
        inputs=(*inputs, "any number") if variadic else inputs,
        arguments=arguments(op),
        costs={rule: text for rule in ("macs", "flops", "transcendentals") if (text := _formula(op, rule))},
        roles=tuple(role for role, holds in (("activation", op.is_activation), ("merge", op.is_merge)) if holds),
    )


def arguments(declared: type[Declaration]) -> tuple[Argument, ...]:
    """The fields of a declaration of any kind."""
    docs = declared.field_docs()
    return tuple(
        Argument(
            name,
            _type(*_annotation(declared, name)),
            None if field.is_required() else written(field.get_default(call_default_factory=True)),
            docs.get(name, ""),
        )
        for name, field in declared.model_fields.items()
    )


def entries() -> dict[str, list[OpEntry]]:
    """All ops by family, families and ops in order of their names."""
    out: dict[str, list[OpEntry]] = {}
    for op in Op.all():
        out.setdefault(op.__module__.rpartition(".")[2], []).append(entry(op))
    return dict(sorted(out.items()))


def families() -> dict[str, str]:
    """What each family is: the first line of its module's docstring."""
    from importlib import import_module

    modules = sorted({op.__module__ for op in Op.all()})
    docs = {module.rpartition(".")[2]: inspect.getdoc(import_module(module)) or "" for module in modules}
    return {family: doc.split("\n")[0] for family, doc in docs.items()}


def written(value: object) -> str:
    """A default as a spec would write it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Declaration):
        given = {name: getattr(value, name) for name in type(value).model_fields if name in value.model_fields_set}
        return f"{{{value.name}: {written(given)}}}" if given else value.name
    return str(value)


@cache
@cache
def types() -> dict[str, str]:
    """Names of the argument types that several ops share, as ``entry`` writes them, with what they mean."""
    from archspec.ops import arguments

    out: dict[str, str] = {}
    body = ast.parse(inspect.getsource(arguments)).body
    for statement, doc in pairwise(body):
        match statement, doc:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                if not name.isupper():
                    out[_words(name)] = " ".join(text.split())
    return out


def _words(alias: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in alias).strip()


def _annotation(op: type[Declaration], name: str) -> tuple[str, dict[str, str]]:
    """The annotation as it is written (modules of ops postpone their evaluation), and what stands for an alias in it
    that is called as the argument itself, which says nothing."""
    for klass in op.__mro__:
        annotation = inspect.get_annotations(klass).get(name)
        if annotation is not None:
            alias = name.capitalize()
            of = getattr(sys.modules[klass.__module__], alias, None)
            base = get_args(of)[0] if get_origin(of) is Annotated and _words(alias) not in types() else None
            plain = {alias: base.__name__} if isinstance(base, type) else {}
            text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
            return text, plain
    raise KeyError(name)


def _type(annotation: str, plain: Mapping[str, str] = {}) -> str:
    tree = ast.parse(annotation, mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = plain.get(node.id, node.id)
    return _type_name(tree)


def _type_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id="Any"):
            return "any"
        case ast.Name(id=name):
            return _words(name)
        case ast.Constant(value=None):
            return "null"
        case ast.Constant(value=value):
            return written(value)
        case ast.Call(func=ast.Name(id="declared"), args=[_, ast.Constant(value=str(word))]):
            return word.partition(" ")[2]
        case ast.Subscript(value=ast.Name(id="Items"), slice=element):
            return f"list of {_type_name(element)}"
        case ast.BinOp(left=left, right=right):
            return f"{_type_name(left)} or {_type_name(right)}"
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[first, *_])):
            return _type_name(first)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            options = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            return " | ".join(map(_type_name, options))
        case ast.Subscript(
            value=ast.Name(id="tuple" | "list"), slice=ast.Tuple(elts=[first, ast.Constant(value=v)])
        ) if v is ...:
            return f"list of {_type_name(first)}"
        case ast.Subscript(value=ast.Name(id="tuple" | "list"), slice=ast.Tuple(elts=elements)):
            return "[" + ", ".join(map(_type_name, elements)) + "]"
        case ast.Subscript(value=ast.Name(id="tuple" | "list"), slice=element):
            return f"list of {_type_name(element)}"
        case ast.Subscript(value=ast.Name(id="dict")):
            return "map"
    return ast.unparse(node)


def _formula(op: type[Op], rule: str) -> str:
    """The rule's docstring, else what it returns, as Python; empty where the rule is Op's own."""
    function = getattr(op, rule)
    if function is getattr(Op, rule):
        return ""
    if function.__doc__:
        return " ".join(function.__doc__.split())
    body = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body  # type: ignore[attr-defined]
    match body:
        case [ast.Return(value=ast.expr() as value)]:
            return ast.unparse(value).replace("self.", "")
    return "; ".join(ast.unparse(statement).replace("\n", " ") for statement in body).replace("self.", "")


_INPUTS = (
    TensorSpec((32, 32, 16)),
    TensorSpec((20, 16)),
    TensorSpec((16,)),
    TensorSpec((16, 16)),
    TensorSpec((20,), "int32"),
    TensorSpec((4, 32, 32, 16)),
    TensorSpec((4, 16, 16)),
    TensorSpec((20, 1)),
    TensorSpec((5, 4)),
)
_LAST = (
    TensorSpec((1,)),
    TensorSpec((32, 32, 2)),
    TensorSpec((32, 32, 18)),
    TensorSpec((20, 4)),
    TensorSpec((20,), "int32"),
    TensorSpec((32, 32, 16), "int32"),
)
"""What else the last of several inputs may be: a share, places of a map, moves of the taps of a kernel, boxes,
classes, places of maxima."""
_NAMED: dict[str, tuple[TensorSpec, ...]] = {
    **dict.fromkeys(("anchors", "cells", "boxes", "box", "predicted"), (TensorSpec((20, 4)),)),
    **dict.fromkeys(("classes", "owner", "places"), (TensorSpec((20,), "int32"),)),
    **dict.fromkeys(("positive", "counted", "valid"), (TensorSpec((20,), "bool"),)),
    "masks": (TensorSpec((20, 28, 28)), TensorSpec((64, 64, 3), "uint8")),
    "scores": (TensorSpec((20, 3)), TensorSpec((20,))),
    "semantic": (TensorSpec((28, 28, 5)),),
    "hardness": (TensorSpec((20,)),),
}
"""What an input of a name may be, where the inputs of an op are of different kinds."""
_VALUES: tuple[Any, ...] = (
    64,
    2,
    4,
    16,
    0.5,
    [16, -1],
    [1, 2, 0],
    [0, 8],
    [2, 1],
    [1, 1],
    "relu",
    1,
    0,
    [-1],
    [[0, 8]],
    [8, 8],
    {"lstm": 64},
    {"conv": 64},
    "ActivityRegularization",
)


def example(op: type[Op]) -> CallExample | None:
    """A smallest call of the op that its own rules accept, on a usual input; None if no guess fits."""
    names, required, variadic = ports(op)
    count = 2 if variadic else max(required, 1)
    is_named = required > 1 and _NAMED.keys() >= {*names[:required]}
    named = list(product(*(_NAMED[n] for n in names[:required]))) if is_named else []
    needed = [name for name, field in op.model_fields.items() if field.is_required()]
    if needed:
        kinds = [op.model_fields[name].annotation for name in needed]
        guesses = (get_args(kind) if get_origin(kind) is Literal else _VALUES for kind in kinds)
        choices = [dict(zip(needed, values, strict=True)) for values in product(*guesses)]
    else:
        choices = [{}, *({name: value} for name in (op.main, *op.model_fields) if name for value in _VALUES)]
    for args in choices[:5000]:
        try:
            instance = op.model_validate(args)
        except ValueError:
            continue
        for inputs in (*named, *((*(spec,) * (count - 1), last) for spec in _INPUTS for last in (spec, *_LAST))):
            try:
                out = instance.infer(*inputs)
                weights = instance.weights(*inputs)
            except OpError:
                continue
            outputs = out if isinstance(out, tuple) else (out,)
            if op.main and list(args) == [op.main]:
                call = f"{op.name}: {written(args[op.main])}"
            else:
                call = f"{op.name}: {written(args)}" if args else op.name
            return CallExample(f"- {call}", inputs, outputs, sum(weight.size for weight in weights))
    return None


_SHOWN: tuple[Any, ...] = (
    Path("photos"),
    10,
    0.1,
    224,
    2,
    "mnist",
    [30, 60],
    [0.8, 1.2],
    {"layers": 1},
    ["a"],
    [{"rescale": {}}],
    "digits",
)
"""Values that arguments of declarations other than ops are tried with; the first that is taken is shown."""


def usage(declared: type[Declaration]) -> str | None:
    """A shortest form that a text may write of a declaration: its name, or the name with what it needs. None where no
    guess fits."""
    needed = [name for name, field in declared.model_fields.items() if field.is_required()]
    for values in product(_SHOWN, repeat=len(needed)):
        given = dict(zip(needed, values, strict=True))
        try:
            declared.model_validate(given)
        except ValueError:
            continue
        if not given:
            return declared.name
        alone = declared.main is not None and list(given) == [declared.main]
        return f"{{{declared.name}: {written(given[declared.main] if alone else given)}}}"  # type: ignore[index]
    return None
