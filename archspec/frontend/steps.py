"""Lists of steps, read once: which op, its arguments, its modifiers, and where each is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.frontend.yaml_source import Map, Seq, value_span
from archspec.ir.aliases import alias, same
from archspec.ir.diagnostics import Diagnostic, Span, did_you_mean, meant_by, plain, shown
from archspec.ir.patterns import Pattern
from archspec.ops.base import Op

MODIFIERS = ("as", "from", "when", "repeat", "each", "merge")
ITEMS = "items"
"""What stands after ``each:`` where the turns are the items of a first axis."""
STRUCTURAL = ("do", "branches", "residual")


class Step:
    """One item of a chain. ``op`` is None for a step that only names something; modifiers are raw values."""

    __slots__ = (
        "args",
        "container",
        "container_key",
        "each",
        "from_",
        "given",
        "key",
        "merge",
        "name",
        "op",
        "reads",
        "repeat",
        "when",
        "words",
        "written",
    )

    def __init__(self, op: str | None, args: Any, container: Map | Seq, key: object, given: Map | None):
        self.op, self.args, self.given = op, args, given
        self.container, self.key = container, key
        self.reads: dict[int, Any] = {}
        """What its arguments read and came to, for frontend.recurring."""
        self.written: Span | None = None
        self.words: frozenset[str] | None = None
        """What its arguments and ``from`` may name, once frontend.trace has asked."""
        self.name: str | None = None
        self.from_ = self.when = self.repeat = self.each = self.merge = None
        if given is not None:
            get = given.get
            self.name, self.from_, self.when = get("as"), get("from"), get("when")
            self.repeat, self.each, self.merge = get("repeat"), get("each"), get("merge")

    @property
    def span(self) -> Span:
        """Where the op is written."""
        if self.written is None:
            is_key = self.given is not None and self.op is not None
            self.written = self.given.key_span(self.op) if is_key else value_span(self.container, self.key)  # type: ignore[union-attr, arg-type]
        return self.written

    def modifier_span(self, modifier: str) -> Span:
        """Where a modifier's value is written."""
        assert self.given is not None
        return self.given.value_span(modifier)

    def args_span(self) -> Span:
        """Where the arguments are written; the op where there are none."""
        return (
            self.span if self.given is None or self.op is None or self.args is None else self.given.value_span(self.op)
        )


Steps = tuple[list[Step | None], list[Diagnostic]]
"""The steps of a chain, and what is wrong with those that cannot be read."""


def steps_of(chain: Seq) -> Steps:
    """The steps of a chain, None in place of each that cannot be read, and what is wrong with those. Read only once."""
    if chain.memo is None:
        diagnostics: list[Diagnostic] = []
        chain.memo = ([_step(chain, i, item, diagnostics) for i, item in enumerate(chain)], diagnostics)
    read: Steps = chain.memo
    return read


def _step(chain: Seq, i: int, item: object, diagnostics: list[Diagnostic]) -> Step | None:
    if type(item) is str:
        if item[:1] != "=":
            return Step(item, None, chain, i, None)
    elif type(item) is Map:
        return _mapped(chain, i, item, diagnostics)
    elif type(item) is Seq:
        if _is_row(item):
            message = f"a step is a name, a map or a list of steps, got {shown(item)}"
            diagnostics.append(Diagnostic("S04", message, chain.value_span(i), ROW_HELP))
            return None
        return Step("do", item, chain, i, None)
    message = f"a step is a name, a map or a list of steps, got {shown(item)}"
    hint: str | None = None
    if type(item) is str and (name := item[1:].strip()).isidentifier():
        hint = f"a step is called without '=': {name}; a value goes to an op: conv: ={name}"
    elif type(item) in (int, float):
        hint = f"a value goes to an op: dense: {item}"
    diagnostics.append(Diagnostic("S04", message, chain.value_span(i), hint))
    return None


ROW_HELP = (
    "it looks like a row of an Ultralytics file (from, number, module, arguments): 'archspec import FILE' reads such "
    "files; a step is written {conv: {filters: 64, kernel: 3}, from: NAME, repeat: 2}"
)


def _is_row(item: Seq) -> bool:
    """Whether a list is a row of an Ultralytics file: ``[-1, 3, C2f, [128, True]]``."""
    if len(item) < 3 or not isinstance(item[2], str):
        return False
    return type(item[1]) is int and (type(item[0]) is int or isinstance(item[0], Seq))


def _mapped(chain: Seq, i: int, item: Map, diagnostics: list[Diagnostic]) -> Step | None:
    ops = [key for key in item if key not in MODIFIERS]
    if len(ops) == 1:
        op = ops[0]
        step = Step(op, item[op], chain, i, item)
    elif ops:
        message = f"a step has one op, found {shown(ops[0])} and {shown(ops[1])}"
        diagnostics.append(Diagnostic("S04", message, item.key_span(ops[1]), _two_ops_hint(item, ops)))
        return None
    elif item.get("as") is not None:
        step = Step(None, None, chain, i, item)
        surplus = [m for m in ("when", "repeat", "each", "merge") if m in item]
        if surplus:
            message = f"a step without an op only names something: it takes as and from, not {surplus[0]}"
            diagnostics.append(Diagnostic("S04", message, item.key_span(surplus[0])))
            return None
    else:
        message = "a step needs an op" + (f", found only {' and '.join(item)}" if item else "")
        diagnostics.append(Diagnostic("S04", message, chain.value_span(i), _no_op_hint(chain, i, item)))
        return None
    if step.repeat is not None and step.each is not None:
        message = "a step takes repeat (one after the other) or each (side by side), not both"
        nested = f"{{do: [{{…, each: {plain(step.each)}}}], repeat: {plain(step.repeat)}}}"
        diagnostics.append(Diagnostic("S04", message, item.key_span("each"), f"leave one out, or nest them: {nested}"))
        return None
    if "as" in item and not isinstance(step.name, str):
        message = f"as: must be a name, or name[index], got {shown(step.name)}"
        diagnostics.append(Diagnostic("S03", message, item.value_span("as"), _name_hint(step.name)))
        return None
    return step


def _name_hint(given: object) -> str | None:
    """What to write for a name that is a number or a list."""
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], str):
        return f"a name has no brackets: as: {given[0]}"
    if isinstance(given, list):
        return "one name stands for all results, which are taken by index or name: as: found, then found[0]"
    return f"a name starts with a letter: as: s{given}" if str(given).isdigit() else None


def _no_op_hint(chain: Seq, i: int, item: Map) -> str | None:
    """What to do with modifiers alone: the steps that they hold, or the step before, are what they are about."""
    key = next(iter(item), "")
    steps = item.get(key)
    if key in ("repeat", "each") and type(steps) is Seq and any(type(one) is Map for one in steps):
        return f"steps that are repeated stand under do, beside the count: {{do: {plain(steps)}, {key}: 2}}"
    if key in ("repeat", "each") and type(steps) is Map and (held := next((c for c in CHAINS if c in steps), None)):
        turns = [steps[name] for name in steps if name != held]
        count = plain(turns[0]) if len(turns) == 1 else "2"
        return f"steps that are repeated stand under do, beside the count: {{do: {plain(steps[held])}, {key}: {count}}}"
    before = chain[i - 1] if i else None
    rest = ", ".join(f"{key}: {plain(value)}" for key, value in item.items())
    if type(before) is Map and len(before) == 1 and rest:
        return f"modifiers stand beside their op, in braces: {{{plain(before)[1:-1] or '…'}, {rest}}}"
    return None


_MODIFIER_NAMES = {
    **dict.fromkeys(("name", "id", "label", "output", "out", "to", "tag", "top"), "as"),
    **dict.fromkeys(("input", "inputs", "src", "source", "on", "of", "input_from", "take", "bottom", "after"), "from"),
    **dict.fromkeys(("if", "condition", "only_if", "enabled", "cond", "unless"), "when"),
    **dict.fromkeys(("times", "repeats", "for", "loop", "count", "number", "n", "num"), "repeat"),
    **dict.fromkeys(("foreach", "for_each", "parallel", "map", "over"), "each"),
    **dict.fromkeys(("join", "combine", "mode", "reduce", "aggregate"), "merge"),
}
"""What other languages and formats call the modifiers."""


UNNAMED = "NAME"
"""Stands in a help for the main argument of a block, which is known where the block is."""
ARGUMENTS = ("config", "args", "arguments", "kwargs", "params", "parameters")
"""What other formats call the arguments of a step."""
CHAINS = ("body", "steps", "layers", "chain")
"""What other formats call the steps within a step."""
SKIPS = ("skip", "shortcut", "residual", "skip_from", "residual_from")
"""What people write beside an op for a result that its own meets."""
PROJECTS = ("shortcut", "skip", "projection", "proj", "downsample", "identity")
"""What other libraries call the steps of a skip."""


_MODIFIER_APART = Pattern(rf"({'|'.join(MODIFIERS)})(?:\s+|\s*=\s*)(\S.*)")
"""``as C5`` in place of ``as: C5``."""


def _is_repeat(word: str) -> bool:
    """Whether a word is what other languages call repeat."""
    return _MODIFIER_NAMES.get(word) == "repeat"


_KINDS = (
    "_target_",
    "pool",
    "norm",
    "type",
    "op",
    "layer",
    "class",
    "class_name",
    "kind",
    "module",
    "name",
    "operation",
)
"""What says in other formats which op a step is."""


def _block(kind: str, word: str) -> str | None:
    """What is called under a key for any step, where it is no op: perhaps a block, or ``pool: max`` in two words."""
    if Op.find(joined := f"{word}_{kind}") is not None:
        return joined
    return word if kind in ("op", "type", "layer") and word.isidentifier() else None


def _two_ops_hint(item: Map, ops: list[str]) -> str:
    """What to do with a second key of a step that is no modifier."""
    from archspec.frontend.intended_words import intended_word

    first, second = ops[0], ops[1]
    keys = list(item)
    if first in _KINDS and isinstance(item[first], str):
        word = item[first].rpartition(".")[2]
        named = word if Op.find(word) else same("op", word, Op.names()) or _block(first, word)
        if named is not None:
            inner = item[second] if second in ARGUMENTS and type(item[second]) is Map and len(ops) == 2 else None
            rest = [f"{key}: {plain(v)}" for key, v in (inner or {key: item[key] for key in ops[1:]}).items()]
            return f"the op is the key: {named}: {{{', '.join(rest)}}}"
    before = keys[keys.index(second) - 1]
    if item[second] is None and isinstance(item[before], str) and before in ("from", "merge", *STRUCTURAL):
        rest = [key for key in keys[keys.index(second) :] if item[key] is None]
        return f"a list needs brackets: {before}: {plain([item[before], *rest])}"
    if (beside := _MODIFIER_APART.fullmatch(second)) is not None and item[second] is None:
        return f"a colon is missing: {beside[1]}: {beside[2]}"
    for op in ops:
        if (hint := intended_word(op, lambda name: Op.find(name) is not None, MODIFIERS)) is not None:
            return hint
    if (choice := _choice(item, ops)) is not None:
        return choice
    if first in _MODIFIER_NAMES and Op.find(first) is None and (second in STRUCTURAL or Op.find(second) is not None):
        return f"'{first}' is written '{_MODIFIER_NAMES[first]}'"
    other = Op.find(second)
    is_merge = other is not None and other.is_merge
    if (second in SKIPS or is_merge) and isinstance(item[second], str):
        operands = f"[{item[second]}, prev]"
        merged = f"{second}: {operands}" if is_merge else f"add: {operands}"
        return f"a skip meets the result in a step of its own: - {merged}"
    called = Op.find(first)
    if called is not None and second in called.model_fields:
        if called.main is None and isinstance(item[first], list):
            inner = ", ".join(f"{key}: {plain(item[key])}" for key in ops[1:])
            return f"'{second}' is an argument of {first}: {{{first}: {{{inner}}}, from: {plain(item[first])}}}"
        return f"'{second}' is an argument of {first}: {_inside(item, ops, called.main)}"
    near = _MODIFIER_NAMES.get(second) if Op.find(second) is None else None
    if len(second) == 2 and second[0] == "a" and isinstance(item[second], str):
        near = "as"
    hint = f"did you mean '{near}'?" if near else next((h for o in ops[1:] if (h := did_you_mean(o, MODIFIERS))), None)
    if hint is not None:
        return hint
    if _is_repeat(first) and second in CHAINS:
        return f"a loop is written with do: {{do: {plain(item[second])}, repeat: {plain(item[first])}}}"
    if first == "residual" and isinstance(item[first], bool):
        return f"residual holds its steps: residual: [{plain({second: item[second]})[1:-1]}]"
    if first == "residual" and second in ("project", *PROJECTS):
        inner = f"body: {plain(item[first])}, project: {plain(item[second])}"
        return f"project is an argument of residual: residual: {{{inner}}}"
    if called is not None and (told := alias("parameter", second, called.model_fields)) and meant_by(told) is None:
        return told
    if Op.find(second) is None and item[second] is not None:
        main = called.main if called is not None else _likely(first, second)
        return f"arguments of {first} stand inside: {_inside(item, ops, main)}"
    return f"put each op in its own list item; modifiers are {', '.join(MODIFIERS)}"


def _choice(item: Map, ops: list[str]) -> str | None:
    """What to write for ``if``, ``then`` and ``else``: two steps, each with its condition."""
    if "else" not in ops or not ({"when", "if"} & item.keys()):
        return None
    given = str(item.get("when", item.get("if")))
    condition = given[1:].strip() if given[:1] == "=" else given
    opposite = condition[4:] if condition.startswith("not ") else f"not ({condition})"
    if condition.isidentifier():
        opposite = f"not {condition}"
    return f"a choice is two steps: {{…, when: ={condition}}}, then {{…, when: ={opposite}}}"


def _likely(called: str, argument: str) -> str:
    """The main argument of ops that are called like this: ``pool`` may hold ``max_pool``."""
    found = (Op.find(name) for name in Op.names() if called in name)
    return next((op.main for op in found if op is not None and op.main and argument in op.model_fields), UNNAMED)


def _inside(item: Map, ops: list[str], main: str | None) -> str:
    """A step of several keys with all but the first as its arguments."""
    value = item[ops[0]]
    inner = [f"{key}: {plain(v)}" for key, v in value.items()] if type(value) is Map else []
    if value is not None and type(value) is not Map:
        inner = [f"{main}: {plain(value)}"]
    return f"{ops[0]}: {{{', '.join([*inner, *(f'{key}: {plain(item[key])}' for key in ops[1:])])}}}"


def chains_in(step: Step) -> Iterator[Seq]:
    """The chains that a structural step is written of."""
    args = step.args
    if step.op == "do" and type(args) is Seq:
        yield args
    elif step.op == "branches" and type(args) is Seq:
        for branch in args:
            if type(branch) is Seq:
                yield branch
    elif step.op == "residual":
        if type(args) is Seq:
            yield args
        elif type(args) is Map:
            for key in ("body", "project"):
                if type(args.get(key)) is Seq:
                    yield args[key]


def words_in(item: object) -> Iterator[str]:
    """Words of a step that cannot be read, any of which may have been meant as its name."""
    for value in item.values() if isinstance(item, Map) else ():
        if isinstance(value, str):
            yield value.partition("[")[0]


def given_names(chain: Seq) -> frozenset[str]:
    """Every name that ``as`` gives within a chain, blocks that it calls not counted."""
    names: set[str] = set()
    todo = [chain]
    while todo:
        for step in steps_of(todo.pop())[0]:
            if step is not None:
                if step.name is not None:
                    names.add(step.name.partition("[")[0])
                todo.extend(chains_in(step))
    return frozenset(names)
