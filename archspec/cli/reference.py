"""List the names that specs and run files can use, or describe one: arguments, defaults, costs, an example.

NAME is an op, loss, metric, initializer, regularizer, constraint, optimizer, schedule, task, data source, sampler,
tokenizer or transform; or one of these words, which lists all of that kind.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archspec.ir.declaration import Declaration
    from archspec.ops.base import Op

EXAMPLES = (
    "archspec reference",
    "archspec reference conv",
    "archspec reference adam",
    "archspec reference transforms",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The op, and the form of the answer."""
    parser.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a name, or the word for a kind; without it, all ops and kinds are listed",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print one entry or all."""
    from archspec.cli._output import write
    from archspec.ops.base import Op
    from archspec.report.vocabulary import entries, entry

    if args.name is None:
        everything = [e for family in entries().values() for e in family]
        write(_json(everything) if args.format == "json" else f"{_listing()}\n\n{_others()}")
        return 0
    if args.name in ("op", "ops"):
        write(_listing())
        return 0
    if args.name in ("callback", "callbacks"):
        write(_callbacks())
        return 0
    op = Op.find(args.name)
    if op is None and args.format == "text" and (text := _of_keras(args.name)) is not None:
        write(text)
        return 0
    if op is None and (text := _of_other_kinds(args.name, args.format)) is not None:
        write(text)
        return 0
    if op is None:
        op, members, said = _elsewhere(args.name)
        print(f"archspec reference: {said}", file=sys.stderr)
        if members:
            write(_members(members, args.format))
            return 0
        if op is None:
            return 2
    write(_json(entry(op)) if args.format == "json" else _page(op))
    return 0


def _of_other_kinds(name: str, form: str) -> str | None:
    """What is known of a name that is no op's."""
    from archspec.cli import _kinds

    if found := list(_kinds.named(name)):
        return _members(found, form)
    word = _kinds.kind_of(name)
    return None if word is None else _kinds.listing(word)


def _members(found: list[tuple[str, type[Declaration]]], form: str) -> str:
    """What is known of members of kinds, each given with the word for its kind."""
    from archspec.cli import _kinds
    from archspec.report.vocabulary import arguments

    if form == "json":
        from dataclasses import asdict
        from json import dumps

        records = [
            {
                "name": m.name,
                "kind": word,
                "doc": m.summary(),
                "main": m.main,
                "arguments": [asdict(a) for a in arguments(m)],
            }
            for word, m in found
        ]
        return dumps(records if len(records) > 1 else records[0], indent=1, ensure_ascii=False)
    return "\n\n".join(_kinds.page(word, member) for word, member in found)


def _callbacks() -> str:
    """Callbacks are functions of packages: what they take is theirs to say."""
    from archspec.training.trackers import GROUP, installed

    found = [f"  {name:<26} {point.value}" for name, point in sorted(installed().items())]
    said = f"callbacks: functions that packages name in the entry points of the group {GROUP},"
    used = "which a run file names below log: {callbacks: {NAME: {argument: value}}}"
    return "\n".join([said, used, *(found or ["  no installed package has one"])])


def _of_keras(name: str) -> str | None:
    """What a layer of Keras's takes that archspec has no op for."""
    from archspec.ops.keras_layer import arguments_of, op_instead, table
    from archspec.report.vocabulary import written

    layer = table().others.get(name, name)
    if layer not in table().layers or op_instead(layer) is not None:
        return None
    lines = [f"keras: {{layer: {layer}, …}}", "", f"a layer of Keras's: keras.io says what {layer} computes", ""]
    for argument, (kind, *default) in table().layers[layer].arguments.items():
        word = " | ".join(kind) if isinstance(kind, list) else kind.replace("_", " ")
        given = written(arguments_of(layer).model_fields[argument].default) if default else ""
        said = (
            f"default {given}" if default and default[0] is not None else "Keras's default" if default else "required"
        )
        lines.append(f"  {argument}: {word}, {said}")
    return "\n".join(lines)


def _elsewhere(name: str) -> tuple[type[Op] | None, list[tuple[str, type[Declaration]]], str]:
    """The op that others call so, else the members of other kinds, if there are any, and what to say of the name."""
    from archspec.cli import _kinds
    from archspec.frontend import prelude
    from archspec.ir.aliases import meanings, same, suggested
    from archspec.ir.diagnostics import shown
    from archspec.ops.base import Op

    listing = "'archspec reference' lists all"
    none, blocks = f"error: there is no op {shown(name)}", prelude()["blocks"]
    if name in blocks:
        parameters = ", ".join(blocks[name]["params"])
        return None, [], f"error: {name} is no op but a block of the prelude: it takes {parameters}"
    bare = name.rpartition(".")[2]
    for kind, found in meanings(bare):
        for ours in found.ours:
            if kind in ("op", "activation") and (op := Op.find(ours)):
                return op, [], f"{shown(name)} is {ours} in archspec"
            if kind == "op":
                return None, [], f"{none}; it is {ours} in archspec"
        if kind in ("op", "activation") and found.instead:
            return None, [], f"{none}; {found.instead}"
    if (known := same("op", bare, Op.names())) is not None:
        return Op.find(known), [], f"{shown(name)} is {known} in archspec"
    if members := list(_kinds.called_elsewhere(bare)):
        told = " and ".join(f"the {word} {member.name}" for word, member in members)
        return None, members, f"{shown(name)} is {told} in archspec"
    for kind, found in meanings(bare):
        if found.ours and kind != "parameter":
            return None, [], f"{none}; it is the {kind} {found.ours[0]} in archspec"
        if found.instead and kind in _kinds.KINDS:
            return None, [], f"{none}; {found.instead}"
    return None, [], f"{none}; {suggested('op', name, Op.names(), listing)}"


def _listing() -> str:
    from shutil import get_terminal_size
    from textwrap import shorten

    from archspec.report.vocabulary import entries, families

    width = max(60, get_terminal_size().columns)
    titles, lines = families(), []
    for family, members in entries().items():
        lines += ["", f"{family}: {titles[family].replace('``', '')}"]
        for e in members:
            name = f"{e.name}: {e.main}" if e.main else e.name
            lines.append(f"  {name:<26} {shorten(_first(e.summary), width - 29, placeholder=' …')}")
    return "\n".join(lines[1:])


def _others() -> str:
    from textwrap import fill

    from archspec.cli._kinds import KINDS, plural

    words = ", ".join([*(plural(word).replace(" ", "_") for word in KINDS), "callbacks"])
    return fill(f"besides ops ('archspec reference losses' lists one kind): {words}", 80)


def _first(summary: str) -> str:
    """The first sentence; ``et al.`` ends none."""
    import re

    return re.split(r"(?<! al)\. ", summary)[0].rstrip(".")


def _page(op: type) -> str:
    from textwrap import wrap

    from archspec.report.vocabulary import entry, example, types

    e = entry(op)
    out = [e.name, "", e.doc, "", f"inputs: {', '.join(e.inputs)}"]
    if "merge" in e.roles:
        out.append(f"a merge: may stand after 'merge:', or take its operands by name (- {e.name}: [a, b])")
    if "activation" in e.roles:
        out.append(f"an activation: may stand as an argument (activation: {e.name})")
    if e.main:
        out.append(f"main argument: {e.main} (- {e.name}: VALUE)")
    if e.arguments:
        out += ["", "arguments:"]
        for a in e.arguments:
            default = "required" if a.default is None else f"default {a.default}"
            out.append(f"  {a.name}: {a.type}, {default}")
            out += [f"      {line}" for line in wrap(a.doc, 74)]
        known = types()
        words = {word for a in e.arguments for word in a.type.replace(" or ", "|").split("|")}
        if used := sorted({w.strip() for w in words} & set(known)):
            out += ["", "types:", *(f"  {word}: {known[word].rstrip('.')}" for word in used)]
    unknown = ["", "costs: not known"] if not op.is_counted() else ["", "costs: none"]  # type: ignore[attr-defined]
    out += ["", "costs (per sample; 'out' is the output's shape):"] if e.costs else unknown
    out += [f"  {name} = {text}" for name, text in e.costs.items()]
    if sample := example(op):
        inputs, outputs = (", ".join(map(str, specs)) for specs in (sample.inputs, sample.outputs))
        out += ["", "example:", f"  {sample.text:<30} # {inputs} → {outputs}, {sample.params:,} parameters"]
    return "\n".join(out).replace("``", "")


def _json(value: object) -> str:
    from dataclasses import asdict
    from json import dumps

    plain = [asdict(v) for v in value] if isinstance(value, list) else asdict(value)  # type: ignore[call-overload]
    return dumps(plain, indent=1, ensure_ascii=False)
