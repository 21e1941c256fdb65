"""What the name of a step was meant to be that is no op, block, network or used file."""

from __future__ import annotations

import re
from typing import Any

from archspec.frontend import catalogue
from archspec.frontend.expressions import written
from archspec.frontend.intended_words import intended_word
from archspec.frontend.parameters import parameters
from archspec.frontend.scope import POISON, Bundle, StepResult
from archspec.frontend.steps import MODIFIERS, STRUCTURAL, Step
from archspec.frontend.walk import Callee, FileContext, Place, Walk
from archspec.frontend.yaml_source import Map
from archspec.ir.aliases import alias, same, suggested
from archspec.ir.diagnostics import did_you_mean, meant_by, plain
from archspec.ops.base import Op


def unknown_op(walk: Walk, name: str, step: Step, place: Place) -> str | None:
    """What to write in place of the name of a step that nothing has. A name that was meant as that of the result is
    lost: nothing is said of those who take it."""
    frame = place.scope.frame
    file: FileContext = frame.file
    spec = file.document.spec
    held = place.scope.get(name)
    if name in frame.params or name in frame.constants:
        return _as_block(name, file)
    if isinstance(held, (StepResult, Bundle)):
        return f"'{name}' is a result, which a step takes with from: {{OP, from: {name}}}"
    known = {*Op.names(), *walk.prelude.callees, *file.callees, *spec.use, *STRUCTURAL}
    given = (*frame.params, *frame.constants)
    known |= {word for word in given if isinstance(place.scope.get(word), (Callee, type))}
    hint = (
        _used(name, step.args, file)
        or _loop(name, step.args)
        or intended_word(name, known.__contains__, MODIFIERS, step.args)
        or alias("op or block", name, known)
        or _of_catalogue(name)
        or _loss(name)
        or suggested("op or block", name, known)
    )
    if (hint is None or meant_by(hint)) and (named := _misplaced_name(name, step.args, known)) is not None:
        if name.isidentifier():
            place.scope.names.setdefault(name, POISON)
        return named
    if hint is None and (own := [*spec.blocks, *spec.networks, *spec.use]):
        hint = f"this file's own are {', '.join(own[:8])}"
    return hint or did_you_mean(name, MODIFIERS)


def _used(name: str, given: object, file: FileContext) -> str | None:
    """How a file under ``use`` is called, where a step says that it is used, or calls it like a function."""
    if name in ("use", "call", "block", "import", "include") and isinstance(given, str):
        return f"it is called by its name: {given}"
    found = re.fullmatch(r"([A-Za-z_]\w*)\(\s*([A-Za-z_][\w.]*)\s*\)", name[:80], re.ASCII)
    if found is None or not (found[1] in file.callees or found[1] in file.document.spec.use):
        return None
    return f"what a step is applied to is said by from: {{{found[1]}, from: {found[2]}}}"


def _loop(name: str, given: Any) -> str | None:
    """How a loop of Python is written: ``for i in range(3): [conv: 8]``."""
    found = re.fullmatch(r"for\s+([A-Za-z_]\w*)\s+in\s+(\S.*)", name[:80], re.ASCII)
    if found is None:
        return None
    count = re.fullmatch(r"range\((\d+)\)", found[2])
    turns = count[1] if count is not None else found[2] if found[2][:1] == "[" else written(found[2])
    return (
        f"a loop stands beside its steps: {{do: {plain(given) if given else '[…]'}, repeat: {{{found[1]}: {turns}}}}}"
    )


def _misplaced_name(name: str, given: object, known: set[str]) -> str | None:
    """What to write where the name of a result stands as the op: ``C5: {dense: 120}``, ``C5 = dense``."""
    called = re.fullmatch(r"([A-Za-z_]\w*)\s*=\s*(?:\w+\.)*(\w+)\(.*\)", name[:120], re.ASCII)
    if called is not None and (op := called[2] if called[2] in known else same("op", called[2], known)) is not None:
        return f"a result gets its name from as:, and arguments stand after a colon: {{{op}: …, as: {called[1]}}}"
    assigned = re.fullmatch(r"([A-Za-z_]\w*)\s*=\s*(\w+)", name[:80], re.ASCII)
    if assigned is not None and assigned[2] in known:
        rest = f": {plain(given)}" if given is not None else ""
        return f"a result gets its name from as: {{{assigned[2]}{rest}, as: {assigned[1]}}}"
    if name.isidentifier() and isinstance(given, str) and given in known and Op.find(given) is None:
        return f"a result gets its name from as: {{{given}, as: {name}}}"
    if name.isidentifier() and isinstance(given, Map) and len(given) == 1 and next(iter(given)) in known:
        return f"a result gets its name from as: {{{plain(given)[1:-1]}, as: {name}}}"
    return None


def _as_block(name: str, file: FileContext) -> str:
    """How a parameter becomes one that a step may call."""
    declared = parameters(file.document.spec.params)[0].get(name)
    default = declared.default if declared is not None else None
    as_block = f"{{type: block, default: {default}}}" if isinstance(default, str) else "block"
    return f"'{name}' is a parameter, and no block: declare it as {name}: {as_block} to call it"


def _loss(name: str) -> str | None:
    """Where a loss stands, whose name stands as a step."""
    from archspec.ops.loss import Loss

    bare = name.rpartition(".")[2]
    ours = bare if Loss.find(bare) is not None else same("loss", bare, Loss.names())
    if ours is not None:
        return f"a loss stands beside the steps of a head: heads: {{main: {{body: […], loss: {ours}}}}}"
    said = alias("loss", bare)
    return None if said is None else f"a loss stands beside the steps of a head, loss: NAME: {said}"


def _of_catalogue(name: str) -> str | None:
    """How a spec of the catalogue becomes a step, where its name stands as one."""
    plain = name.lower().replace("-", "").replace("_", "")
    ours = next((known for known in catalogue.names() if known.replace("_", "") == plain), None)
    if ours is None:
        return None
    return f"a spec of the catalogue is named under use:, at the top of the file: use: {{{ours}: {ours}}}"
