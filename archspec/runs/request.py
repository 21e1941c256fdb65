"""A run as it was asked for: a run file, or a spec without one, and what was said in place of what it says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.ir.diagnostics import Diagnostic, Span, SpecError, amount, did_you_mean, retyped, shown, typed
from archspec.runs.notation import KEYWORDS
from archspec.storage.regular import opened

if TYPE_CHECKING:
    from archspec.frontend.yaml_source import Map
    from archspec.ir.graph import Graph
    from archspec.training.document import RunSpec
    from archspec.training.errors import TaskError
    from archspec.training.launch import ProcessGroup
    from archspec.training.plan import Plan

Words = Callable[[str, Any], Span]
"""How a change of a key is shown to a person."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run is called, its content, the text's values if it has one, and its folder. ``words`` are what a person
    said in place of the text, by section and key."""

    name: str
    run: RunSpec
    tree: Map | None
    folder: Path
    words: Mapping[tuple[str, ...], Span] = field(default_factory=dict)

    @property
    def spec(self) -> str:
        """The run's spec, as it is found from here."""
        spec = self.run.spec
        beside = self.folder / spec
        if spec.endswith((".yaml", ".yml")) and self.folder != Path():
            return os.path.relpath(beside) if len(os.path.relpath(beside)) < len(str(beside)) else str(beside)
        return spec

    def at(self, path: tuple[str | int, ...]) -> Span:
        """Where a person said what is at fault: in words of their own, or in the run file."""
        from archspec.training.document import place

        names = tuple(map(str, path))
        if said := next((self.words[names[:n]] for n in range(len(names), 0, -1) if names[:n] in self.words), None):
            return said
        if self.tree is None:
            return typed("", self.run.spec)
        if path and path[0] not in self.tree:
            # What is not written has no place: it is the data that nothing augments, and the spec that is trained.
            path = ("data",) if path[0] == "augment" else ("spec",)
        return place(self.tree, path)

    def graph(self) -> Graph:
        """The graph of the run's spec. Raises SpecError, OSError."""
        from archspec.frontend import catalogue, load

        try:
            return load(self.spec, variant=self.run.variant, set=self.run.set)
        except SpecError as error:
            if self.tree is None:
                said = {path[-1] if path[0] == "set" else f"--{path[0]}": span for path, span in self.words.items()}
                raise retyped(error, said) from None
            raise SpecError(self._in_run(d) for d in error.diagnostics) from None
        except FileNotFoundError as error:
            if self.tree is None:
                raise
            message = f"there is no file {error.filename}"
            hint = "spec: names one of the catalogue ('archspec list'), or a path from this file's folder"
            missing = Path(str(error.filename))
            if near := did_you_mean(missing.name, _specs_beside(missing)):
                hint = near
            if catalogue.find(stem := Path(str(error.filename)).stem) is not None:
                hint = f"spec: {stem} is one of the catalogue; a path starts at this file's folder"
            raise SpecError([Diagnostic("F01", message, self.at(("spec",)), hint)]) from None
        except OSError as error:
            if self.tree is None:
                raise
            message = f"{error.filename} cannot be read: {error.strerror}"
            raise SpecError([Diagnostic("F01", message, self.at(("spec",)))]) from None

    def _in_run(self, said: Diagnostic) -> Diagnostic:
        """What is wrong with ``spec``, ``variant`` and ``set``, told at the run file's lines if it stands there."""
        from archspec.frontend.yaml_source import Map

        source, tree = said.span.source, self.tree
        if tree is None:
            return said
        if not source.is_typed and not source.text:
            # Nothing of the file can be shown: it is no file, or no text, or too large.
            message = f"{source.name}: {said.message}"
            return replace(said, message=message, span=self.at(("spec",)), help="spec: names a file of YAML text")
        if not source.is_typed:
            return said
        path = {"": ("spec",), "--variant": ("variant",), "--set": ("set", source.text.partition("=")[0])}[source.name]
        above = tree.get("set") if path[0] == "set" else tree
        if path in self.words:
            return replace(said, span=self.words[path])
        if not isinstance(above, Map) or path[-1] not in above:
            return said
        if said.code == "F01":
            from archspec.frontend.files import meant

            said = replace(said, help=meant(self.run.spec, self.folder))
        return replace(said, span=above.key_span(path[-1]) if said.code == "P01" else self.at(path))

    def plan(self, *, starts: bool = False, peers: ProcessGroup | None = None) -> Plan:
        """The plan, and, where it ``starts``, whether it can on this machine. Raises SpecError with the place in the
        run file, if it has one."""
        from archspec.data.errors import DataError
        from archspec.training.distribution import check
        from archspec.training.errors import TaskError
        from archspec.training.planning import make_plan

        graph = self.graph()
        try:
            plan = make_plan(self.run, graph, self.name)
            if starts:
                check(plan, peers)
            return plan
        except DataError as error:
            failed = TaskError(error.message, at=("data",), help=error.help)
        except TaskError as error:
            failed = error
        raise self.refused(failed)

    def refused(self, error: TaskError) -> SpecError:
        """The error, and what else is wrong with the run, each at its place."""
        every = (error, *error.others)
        return SpecError(Diagnostic("R05", e.message, self.at(e.at), e.help, e.notes) for e in every)

    def doubts(self, plan: Plan) -> list[Diagnostic]:
        """Warnings about a run that can start."""
        from archspec.training.doubts import doubts

        return [Diagnostic(d.code, d.message, self.at(d.at), d.help, severity="warning") for d in doubts(plan)]

    def spec_doubts(self) -> str | None:
        """A line that says that 'check' has warnings about the run's spec; None where it has none."""
        from archspec.frontend import analyse

        spec, run = self.spec, self.run
        count = len(analyse(spec, variant=run.variant, set=run.set).warnings)
        return f"{spec}: {amount(count, 'warning')}; 'archspec check {spec}' shows them" if count else None


def requested(what: str) -> RunRequest:
    """The run that a path or name stands for: a run file, or a spec without one. Raises SpecError, OSError."""
    from archspec.frontend.files import find
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read
    from archspec.training.document import RunSpec, read_run

    path = run_file(what)
    if path is None:
        spec, shown, _ = find(what)
        values = read(read_source(spec, shown))
        if not is_run(values):
            return RunRequest(Path(what).stem, RunSpec(archspec_run=1, spec=what), None, Path())
        path = spec
    run, tree = read_run(read_source(path, reported(path)), path.parent)
    return RunRequest(path.stem, run, tree, path.parent)


def reported(path: Path) -> str:
    """How a run file is called to a person: one of the catalogue from there."""
    from archspec.frontend import catalogue

    root = catalogue.folder()
    return f"specs/{path.relative_to(root).as_posix()}" if path.is_relative_to(root) else str(path)


SPEC_ALONE = ("inputs", "body", "networks", "heads", "blocks", "archspec")
"""Sections that a spec has and a run file has not."""


def is_run(values: object) -> bool:
    """Whether what a YAML file holds is a run: by its header, or, where that was left out, by what it says.

    Asked of every spec that is checked, which needs nothing of what a run file can name."""
    if not isinstance(values, dict):
        return False
    if "archspec_run" in values or ("archspec" in values and "spec" in values):
        return True
    return isinstance(values.get("spec"), str) and not any(section in values for section in SPEC_ALONE)


def run_file(name: str) -> Path | None:
    """The run file of the catalogue with this name."""
    from archspec.frontend import catalogue

    if not name.isidentifier():
        return None
    return next(iter(sorted(catalogue.folder().glob(f"runs/*/{name}.yaml"))), None)


def by_keyword(key: str, value: object) -> Span:
    """A change that was made in Python: its keyword and value."""
    return typed("set:", str(value)) if key == "set" else KEYWORDS.at(key, value)


def changed(found: RunRequest, changes: Mapping[str, Any], words: Words = by_keyword) -> RunRequest:
    """The run with other values of keys of a run file, or of its ``train`` section; None changes nothing.

    ``data`` may be what ``--data`` takes: a source's name, or a path. ``set`` adds to the run's own. Raises SpecError.
    """
    from archspec.frontend.open import must_be_bounded
    from archspec.training.document import SECTIONS, RunSpec, Train, read_section
    from archspec.training.hints import Hints

    must_be_bounded(changes)
    run = found.run
    given = {key: value for key, value in changes.items() if value is not None}
    known = [*(key for key in RunSpec.model_fields if key not in UNCHANGED), *Train.model_fields]
    said: dict[tuple[str, ...], Span] = {}
    updates: dict[str, Any] = {}
    of_train = {key: value for key, value in given.items() if key in Train.model_fields}
    for key, value in given.items():
        if key not in known:
            hints = Hints({**(found.tree or {}), key: value}, SECTIONS, found.folder)
            hint = hints.for_keyword(key, value) or did_you_mean(key, known)
            hint = hint or f"keys of a run file are {', '.join(known[:6])}, …"
            raise SpecError([Diagnostic("R01", f"a run has no key {shown(key)}", words(key, value), hint)])
        if key in of_train:
            said["train", key] = words(key, value)
            continue
        if key == "set":
            if not isinstance(value, Mapping):
                read_section(RunSpec, {"set": value}, typed("set =", repr(value)))
            updates["set"] = {**run.set, **value}
            said |= {("set", name): words("set", f"{name}={one}") for name, one in value.items()}
            continue
        said[key,] = words(key, value)
        held = {key: _source(value, said[key,]) if key == "data" else value}
        updates[key] = getattr(read_section(RunSpec, held, said[key,]), key)
    if of_train:
        checked = read_section(Train, of_train, {key: said["train", key] for key in of_train})
        updates["train"] = run.train.model_copy(update={key: getattr(checked, key) for key in of_train})
    return replace(found, run=run.model_copy(update=updates), words={**found.words, **said})


MAX_BESIDE = 100
"""Files of a folder that are looked at for one of a similar name."""

UNCHANGED = ("archspec_run", "spec", "train")
"""Keys of a run file that cannot be changed: what it is of, and a section whose keys can."""


def _specs_beside(missing: Path) -> list[str]:
    """Files of the folder of a file that is not there, without those that are run files."""
    found = []
    for file in sorted(missing.parent.glob("*.y*ml"))[:MAX_BESIDE]:
        try:
            with opened(file) as stream:
                is_run = b"archspec_run" in stream.read(4096)
        except OSError:
            continue
        if not is_run:
            found.append(file.name)
    return found


def _source(value: object, at: Span) -> Any:
    """What data are meant: a name or path as after ``--data``, or as a run file has it."""
    from archspec.data.errors import DataError
    from archspec.data.source import source_for

    if not isinstance(value, (str, os.PathLike)):
        return value
    try:
        name, args = source_for(os.fspath(value))
    except DataError as error:
        raise SpecError([Diagnostic("R05", error.message, at, error.help)]) from None
    return {name: args}
