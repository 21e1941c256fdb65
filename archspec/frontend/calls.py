"""Calls of blocks, networks and used files: whom a name means, its parameters, its inputs, its result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from archspec.frontend.arguments import Arguments, arguments_of
from archspec.frontend.document import Document
from archspec.frontend.files import MAX_NESTING
from archspec.frontend.naming import Names
from archspec.frontend.parameters import (
    REQUIRED,
    Mismatch,
    Parameter,
    blocks_among,
    near_variant,
    own_missing,
    parameters,
    places_of,
)
from archspec.frontend.recurring import Recurring
from archspec.frontend.references import block_value, evaluated, port_span
from archspec.frontend.refusal import ADD_FROM, LimitExceeded, Poisoned, Refusal
from archspec.frontend.reuse import BlockCall
from archspec.frontend.scope import POISON, Bundle, Constants, Frame, Scope, StepResult, Values, Where, place_of
from archspec.frontend.steps import UNNAMED, Step
from archspec.frontend.walk import Callee, FileContext, Place, Walk, constants
from archspec.frontend.yaml_source import Map, Seq, written_at
from archspec.ir.diagnostics import Diagnostic, Span, SpecError, did_you_mean, known_are, plain, shown
from archspec.ir.patterns import Pattern
from archspec.ops.base import Op


def callee_of(walk: Walk, name: str, step: Step, place: Place) -> Any:
    """What an op position names: a block, a network, a used file or an op."""
    frame = place.scope.frame
    held = place.scope.get(name)
    if isinstance(held, Callee):
        return held
    if held is POISON:
        raise Poisoned
    if isinstance(held, type):
        return held
    file: FileContext = frame.file
    if name in file.callees:
        found = file.callees[name]
        if isinstance(found, type):
            return found
        return found
    if name in file.document.spec.use:
        return file.document
    found = walk.prelude.callees.get(name) or Op.find(name)
    if found is None:
        from archspec.frontend.unknown_ops import unknown_op

        raise Refusal("N00", f"unknown op or block {shown(name)}", step.span, unknown_op(walk, name, step, place))
    file.callees[name] = found
    return found


def completed(walk: Walk, problem: Diagnostic, place: Place) -> Diagnostic:
    """What is wrong with a step that could not be read, with the main argument of the block that it calls."""
    match = _UNNAMED.search(problem.help or "")
    if match is None:
        return problem
    callee = place.scope.frame.file.callees.get(match[1]) or walk.prelude.callees.get(match[1])
    main = next(iter(parameters(callee.block.params)[0]), None) if isinstance(callee, Callee) else None
    return replace(problem, help=problem.help.replace(UNNAMED, main, 1)) if main and problem.help else problem


_UNNAMED = Pattern(rf"(\w+): \{{{UNNAMED}: ", re.ASCII)


def call(
    walk: Walk,
    callee: Callee,
    arguments: Callable[[], Arguments],
    given: object,
    path: str,
    at: Span,
    source: object = None,
    known: Recurring | None = None,
) -> Any:
    """A block's or network's result on ``given``, its named steps as ports. ``source`` is what ``from`` says; ``known``
    may have the parameters that ``arguments`` come to."""
    block, file = callee.block, callee.file
    args = arguments() if known is None or known.value is None else {}
    walk.called.add(id(block))
    declared, problems = parameters(block.params)
    for problem in problems:
        walk.keep(problem)
    for around, _ in walk.calls:
        if around is callee or (isinstance(around, Callee) and around.block is block):
            raise Refusal("N05", f"block '{callee.name}' calls itself", at)
    if known is not None and known.value is not None:
        params = Values(known.value, lambda: places_of(declared, arguments()))
    else:
        params = bind(walk, callee.name, declared, args, at, place=None, file=file)
        if known is not None and POISON not in params.values():
            known.keep(dict(params))
    if walk.calls and file is not walk.prelude and file is not _file(walk.calls[-1][0]):
        walk.foreign += 1
    walk.enter(callee, callee.name, at)
    outer, made = walk.network, None
    try:
        inputs = _inputs_of(walk, callee, given, at, source)
        made = BlockCall(walk, callee, params, inputs, path)
        if (known := made.again()) is not None:
            return known
        if callee.network is not None:
            walk.network = (len(path) + 1, f"{callee.network}.")
        inputs |= made.watched
        frame = Frame(file, params, inputs, file.params)
        first = next(iter(inputs.values())) if len(inputs) == 1 else None
        inner = Place(Scope(frame), first, Names(f"{path}.", walk.names_given(block.body)))
        walk.chain(block.body, inner)
        result = _with_ports(inner.prev, inner.scope.names)
        if block.results is not None:
            result = _results(callee, inner.scope.names)
        made.keep(result)
        return result
    finally:
        if made is not None:
            made.end()
        walk.network = outer
        walk.calls.pop()


def _results(callee: Callee, names: Mapping[str, Any]) -> Bundle:
    """The results of a block that says which it has. Raises Refusal, Poisoned."""
    listed = callee.block.results
    for i, name in enumerate(listed):
        if names.get(name) is POISON:
            raise Poisoned
        if name not in names or name in listed[:i]:
            message = (
                f"'{callee.name}' has no result {shown(name)}" if name not in names else f"{shown(name)} is twice here"
            )
            code = "N01" if name not in names else "N02"
            raise Refusal(
                code, message, listed.value_span(i), did_you_mean(name, [n for n in names if n not in listed])
            )
    return Bundle({name: names[name] for name in listed}, names)


def _file(called: Callee | FileContext) -> FileContext:
    return called if isinstance(called, FileContext) else called.file


def _inputs_of(walk: Walk, callee: Callee, given: object, at: Span, source: object) -> dict[str, Any]:
    """The inputs of a block by name."""
    declared = callee.block.inputs
    if declared is None:
        if isinstance(given, dict):
            for name in given:
                raise Refusal("H04", f"{callee.name} has no input '{name}': it takes one, without a name", at)
            raise Refusal("H04", f"{callee.name} needs an input, and from names none", at, f"{ADD_FROM} NAME")
        if isinstance(given, list):
            return {"input": Bundle(dict(enumerate(given)))}
        if given is None:
            raise Refusal("N01", "there is no previous step here", at, ADD_FROM)
        return {"input": given}
    return _by_input(walk, callee.name, list(declared), given, at, source)


def _by_input(
    walk: Walk, called: str, names: list[str], given: object, at: Span, source: object = None
) -> dict[str, Any]:
    """Results by the names of the inputs. ``source`` is what ``from`` says, where it stands in the text."""
    if isinstance(given, dict):
        for name in given:
            if name not in names:
                hint = did_you_mean(name, names) or f"it has {', '.join(names)}"
                raise Refusal("H04", f"{called} has no input '{name}'", port_span(source, name) or at, hint)
        values = dict(given)
    else:
        if given is None:
            raise Refusal("N01", "there is no previous step here", at, ADD_FROM)
        listed = given if isinstance(given, list) else [given]
        if len(listed) == 1 and len(names) > 1 and isinstance(listed[0], Bundle):
            listed = list(listed[0].elements.values())
        if len(listed) > len(names):
            raise Refusal("H04", f"{called} takes {len(names)} inputs ({', '.join(names)}), got {len(listed)}", at)
        values = dict(zip(names, listed, strict=False))
    if missing := [n for n in names if n not in values]:
        hint = f"from: {{{', '.join(f'{n}: …' for n in names)}}}"
        raise Refusal("H04", f"{called} needs input '{missing[0]}'", at, hint)
    return {n: values[n] for n in names}


def call_file(walk: Walk, by: Document, step: Step, place: Place, given: Any, path: str) -> Any:
    """The body of a used file on ``given``."""
    assert step.op is not None
    walk.foreign += 1
    here: FileContext = place.scope.frame.file
    at = step.span
    try:
        document, variant = walk.library.used(by, step.op)
    except SpecError as error:
        for diagnostic in error.diagnostics:
            walk.keep(diagnostic)
        raise Poisoned from None
    if here.depth >= MAX_NESTING:
        raise LimitExceeded("F03", f"files use each other deeper than {MAX_NESTING} levels", at)
    if any(isinstance(c, FileContext) and c.document is document for c, _ in walk.calls):
        raise Refusal("N05", f"file '{step.op}' uses itself", at)
    if document.spec.body is None:
        raise Refusal(
            "N00", f"'{step.op}' has no body to call: it describes {', '.join(document.spec.networks) or 'blocks'}", at
        )
    declared = parameters(document.spec.params)[0]
    args = arguments_of(walk, step, place, step.op, declared, None, extra=("variant",), blocks=blocks_among(declared))
    if "variant" in args:
        variant, where = args.pop("variant")
        if variant is POISON:
            raise Poisoned
        if variant is not None and not (isinstance(variant, str) and variant in document.spec.variants):
            hint = near_variant(variant, document.spec.name, document.spec.variants)
            if isinstance(variant, str) and walk.knows(variant) and not hint.startswith("did you mean"):
                hint = f"an expression starts with '=': ={variant}"
            walk.report("V01", f"{step.op} has no variant {shown(variant)}", place_of(where), hint)
            raise Poisoned
    file = file_of(walk, document, args, at, variant=variant, path=f"{path}.", depth=here.depth + 1, name=step.op)
    names = list(document.spec.inputs or {})
    inputs = _by_input(walk, step.op, names, given, at, step.from_)
    walk.enter(file, step.op, at)
    try:
        inner = body(walk, file, inputs, path)
    finally:
        walk.calls.pop()
    return _with_ports(inner.prev, inner.scope.names)


def body(walk: Walk, file: FileContext, inputs: dict[str, Any], path: str) -> Place:
    """The place behind a file's body. ``path`` is the prefix of its nodes' names; ``""`` at the top."""
    steps = file.document.spec.body
    frame = Frame(file, Values(), inputs, file.params)
    first = next(iter(inputs.values())) if len(inputs) == 1 else None
    heads = frozenset(file.document.spec.heads or ()) if not path else frozenset()
    names = Names(f"{path}." if path else "", walk.names_given(steps) | heads)
    place = Place(Scope(frame), first, names)
    walk.chain(steps, place)
    return place


def file_of(
    walk: Walk,
    document: Document,
    args: Arguments,
    at: Span,
    *,
    variant: str | None = None,
    path: str = "",
    depth: int = 0,
    name: str | None = None,
) -> FileContext:
    """A file with its parameters given: by ``args``, else by the variant, else by default."""
    declared, problems = parameters(document.spec.params)
    for problem in problems:
        walk.keep(problem)
    file = FileContext(document, Constants(), path, depth)
    given: Arguments = {}
    is_known = True
    if variant is not None:
        section = document.spec.variants[variant]
        if name is None:
            at = document.tree["variants"].key_span(variant)
        for key in section:
            if key not in declared:
                hint = did_you_mean(key, declared) or (known_are(declared, key) if declared else None)
                walk.report("P01", f"{document.spec.name} has no parameter '{key}'", section.key_span(key), hint)
                is_known = False
            else:
                value = walk.attempt(evaluated, section[key], section, key, constants(file))
                given[key] = (value, section.value_span(key))
    given |= args
    if not is_known:
        # Which of the others an unknown name was meant for is not known: nothing is said of those that are missing.
        given = {key: (POISON, at) for key, parameter in declared.items() if parameter.default is REQUIRED} | given
    bind(walk, name or document.spec.name, declared, given, at, place=constants(file), file=file, into=file.params)
    return file


def bind(
    walk: Walk,
    called: str,
    declared: dict[str, Parameter],
    args: Arguments,
    at: Span,
    *,
    place: Place | None,
    file: FileContext,
    into: Values | None = None,
) -> Values:
    """Values of all parameters; every mistake is reported, and what it concerns is POISON. ``file`` is the callee's."""
    params = Values() if into is None else into
    params.places = partial(places_of, declared, args)
    missing: list[str] = []
    is_one = False
    where: Where | None
    if place is None:
        place = Place(Scope(Frame(file, params, {}, file.params)), None, Names("", frozenset()))
    for name, parameter in declared.items():
        if parameter.default is POISON:
            params[name] = POISON
            continue
        if name in args:
            value, where = args[name]
        elif parameter.default is REQUIRED:
            params[name] = POISON
            missing.append(f"'{name}' ({parameter.type})")
            continue
        else:
            where = parameter.default_span
            value = parameter.default
            if type(value) in (str, Map, Seq):
                value = walk.attempt(evaluated, value, parameter.section, name, place)
        if value is not POISON and parameter.type == "block":
            value = walk.attempt(block_value, walk, value, place, place_of(where or at), f"{called}.{name} ")
        if value is not POISON:
            try:
                value = parameter.accept(value)
            except Mismatch as mismatch:
                _refuse(walk, called, parameter, value, mismatch, declared, args, at, place_of(where or at))
                value = POISON
                # A single value that its parameter does not take is likely more than that parameter's.
                is_one = is_one or (name in args and _is_its_value(at, place_of(args[name][1])))
        params[name] = value
    if missing and not is_one:
        names = [name.split()[0].strip("'") for name in missing]
        hint = f"{_word(at, called)}: {{{', '.join(f'{name}: …' for name in names)}}}"
        if called == file.document.spec.name and into is not None:
            at, hint = own_missing([*file.document.spec.variants], declared, names, at)
        walk.report("P02", f"{called} needs parameter{'s' * (len(missing) > 1)} {', '.join(missing)}", at, hint)
    if missing and into is None:
        raise Poisoned
    return params


def _refuse(
    walk: Walk,
    called: str,
    parameter: Parameter,
    value: Any,
    mismatch: Mismatch,
    declared: Mapping[str, Parameter],
    args: Arguments,
    called_at: Span,
    at: Span,
) -> None:
    """Report a value that a parameter does not take, at the declaration where that is what is wrong."""
    if (wrong := parameter.misdeclared(value)) is not None and parameter.default_span is not None:
        walk.report("T01", f"{called}.{parameter.name} {wrong.message}", parameter.default_span, wrong.help)
        return
    if parameter.type == "bool" and value in (None, parameter.name):
        hint = f"{called}: {{{parameter.name}: true}}"
        walk.report("T01", f"{called}.{parameter.name} {mismatch.message}", at, hint)
        return
    listed = value
    if isinstance(value, str):
        from archspec.frontend.intended import bracketed

        inner = bracketed(value)
        listed = value if inner is None else [item.strip() for item in inner[1:-1].split(",")]
    is_flat = isinstance(listed, list) and not any(isinstance(item, (list, dict)) for item in listed)
    help = mismatch.help
    is_alone = parameter.name in args and _is_its_value(called_at, place_of(args[parameter.name][1]))
    if is_flat and is_alone and 1 < len(listed) <= len(declared) and parameter.name == next(iter(declared)):
        pairs = ", ".join(f"{name}: {plain(item)}" for name, item in zip(declared, listed, strict=False))
        help = f"arguments go by name: {called}: {{{pairs}}}"
    walk.report("T01", f"{called}.{parameter.name} {mismatch.message}", at, help)


def _is_its_value(op: Span, value: Span) -> bool:
    """Whether a value stands right behind the colon of an op, so that it is the only one."""
    between = op.source.line(op.line)[op.column - 1 + op.length : value.column - 1]
    return value.source is op.source and value.line == op.line and between.strip() == ":"


def _word(at: Span, called: str) -> str:
    """What is called at a place, in the words of the text: a parameter may hold what is called."""
    word = written_at(at)
    return word if word.isidentifier() else called


def _with_ports(value: object, names: Mapping[str, Any]) -> Any:
    """A body's result with its named steps as ports."""
    if isinstance(value, StepResult):
        return StepResult(value.tensor, value.spec, names)
    if isinstance(value, Bundle):
        return Bundle(value.elements, names, value.origin)
    return value
