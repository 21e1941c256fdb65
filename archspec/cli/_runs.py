"""Runs as they are typed: a run file, a spec with flags, or a run directory; and what is said at their end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.ir.diagnostics import Diagnostic, Span, SpecError, typed

if TYPE_CHECKING:
    from archspec.data.source import FeatureSpec
    from archspec.data.transform import Transform
    from archspec.frontend.yaml_source import Map
    from archspec.ir.graph import Graph
    from archspec.training.document import RunSpec
    from archspec.training.launch import Peers
    from archspec.training.outcome import Result
    from archspec.training.plan import Plan


@dataclass(frozen=True, slots=True)
class Asked:
    """A run as it was asked for: what it is called, its content, the text's values if it has one, and its folder.
    ``words`` are those of the command line that stand in place of the text, by section and key."""

    name: str
    run: RunSpec
    tree: Map | None
    folder: Path
    words: Mapping[tuple[str, ...], Span] = field(default_factory=dict)


def asked(what: str) -> Asked:
    """The run that a path or name stands for: a run file, or a spec without one. Raises SpecError, OSError."""
    from archspec.frontend.files import find
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read
    from archspec.training.document import RunSpec, read_run

    path = run_file(what)
    if path is None:
        spec, shown, _ = find(what)
        values = read(read_source(spec, shown))
        if not (isinstance(values, dict) and "archspec_run" in values):
            return Asked(Path(what).stem, RunSpec(archspec_run=1, spec=what), None, Path())
        path = spec
    run, tree = read_run(read_source(path, reported(path)), path.parent)
    return Asked(path.stem, run, tree, path.parent)


def reported(path: Path) -> str:
    """How a run file is called to a person: one of the catalogue from there."""
    from archspec.frontend import catalogue

    root = catalogue.folder()
    return f"specs/{path.relative_to(root).as_posix()}" if path.is_relative_to(root) else str(path)


def run_file(name: str) -> Path | None:
    """The run file of the catalogue with this name."""
    from archspec.frontend import catalogue

    if not name.isidentifier():
        return None
    return next(iter(sorted(catalogue.folder().glob(f"runs/*/{name}.yaml"))), None)


def with_flags(
    found: Asked, *, data: str | None, variant: str | None, settings: Mapping[str, Any], train: Any
) -> Asked:
    """The run with what the command line says in place of what it says itself. Raises SpecError."""
    from archspec.data.errors import DataError
    from archspec.data.source import source_for
    from archspec.training.document import Train, read_section

    run = found.run
    changes: dict[str, Any] = {}
    words: dict[tuple[str, ...], Span] = {}
    if data is not None:
        words["data",] = typed("--data", data)
        try:
            name, args = source_for(data)
        except DataError as error:
            raise SpecError([Diagnostic("R05", error.message, words["data",], error.help)]) from None
        changes["data"] = read_section(type(run), {"data": {name: args}}, words["data",]).data
    if variant is not None:
        words["variant",] = typed("--variant", variant)
        changes["variant"] = variant
    if settings:
        words |= {("set", name): typed("--set", f"{name}={value}") for name, value in settings.items()}
        changes["set"] = {**run.set, **settings}
    given = {name: value for name, value in train.items() if value is not None}
    if given:
        flags = {name: typed("--from" if name == "weights" else f"--{name}", str(given[name])) for name in given}
        words |= {("train", name): said for name, said in flags.items()}
        checked = read_section(Train, given, flags)
        changes["train"] = run.train.model_copy(update={name: getattr(checked, name) for name in given})
    return replace(found, run=run.model_copy(update=changes), words=words)


def peers() -> Peers:
    """The processes of the run, as the environment says. Raises SpecError."""
    from archspec.training.launch import LaunchError, peers

    try:
        return peers(os.environ)
    except LaunchError as error:
        raise SpecError([Diagnostic("R05", str(error), typed("", "--distributed"))]) from None


def planned(found: Asked, *, starts: bool = False, peers: Peers | None = None) -> Plan:
    """The plan of a run, and, where it ``starts``, whether it can on this machine. Raises SpecError with the place in
    the run file, if it has one."""
    from archspec.data.errors import DataError
    from archspec.training.distribution import check
    from archspec.training.errors import TaskError
    from archspec.training.planning import make_plan

    graph = spec_graph(found)
    try:
        plan = make_plan(found.run, graph, found.name)
        if starts:
            check(plan, peers)
        return plan
    except DataError as error:
        failed = TaskError(error.message, at=("data",), help=error.help)
    except TaskError as error:
        failed = error
    all_of_it = (failed, *failed.others)
    raise SpecError(Diagnostic("R05", e.message, _at(found, e.at), e.help, e.notes) for e in all_of_it)


def doubted(found: Asked, plan: Plan) -> list[Diagnostic]:
    """Warnings about a run that can start."""
    from archspec.training.doubts import doubts

    return [Diagnostic(d.code, d.message, _at(found, d.at), d.help, severity="warning") for d in doubts(plan)]


def _at(found: Asked, at: tuple[str | int, ...]) -> Span:
    """Where a person said what is at fault: in words of the command line, or in the run file."""
    from archspec.training.document import place

    path = tuple(map(str, at))
    if said := next((found.words[path[:n]] for n in range(len(path), 0, -1) if path[:n] in found.words), None):
        return said
    return typed("", found.run.spec) if found.tree is None else place(found.tree, at)


def spec_graph(found: Asked) -> Graph:
    """The graph of a run's spec. Raises SpecError, OSError."""
    from archspec.frontend import catalogue, load

    try:
        return load(_spec_name(found), variant=found.run.variant, set=found.run.set)
    except SpecError as error:
        if found.tree is None:
            raise
        raise SpecError(_in_run(d, found) for d in error.diagnostics) from None
    except FileNotFoundError as error:
        if found.tree is None:
            raise
        message = f"there is no file {error.filename}"
        hint = "spec: names one of the catalogue ('archspec list'), or a path from this file's folder"
        if catalogue.find(stem := Path(str(error.filename)).stem) is not None:
            hint = f"spec: {stem} is one of the catalogue; a path starts at this file's folder"
        raise SpecError([Diagnostic("F01", message, _at(found, ("spec",)), hint)]) from None


def _in_run(said: Diagnostic, found: Asked) -> Diagnostic:
    """What is wrong with ``spec``, ``variant`` and ``set``, told at the run file's lines if it stands there."""
    from archspec.frontend.yaml_source import Map

    source, tree = said.span.source, found.tree
    if not source.is_typed or tree is None:
        return said
    path = {"": ("spec",), "--variant": ("variant",), "--set": ("set", source.text.partition("=")[0])}[source.name]
    above = tree.get("set") if path[0] == "set" else tree
    if path in found.words or not isinstance(above, Map) or path[-1] not in above:
        return said
    return replace(said, span=above.key_span(path[-1]) if said.code == "P01" else _at(found, path))


def spec_doubts(found: Asked) -> str | None:
    """A line that says that 'check' has warnings about a run's spec; None where it has none."""
    from archspec.frontend import analyse

    spec, run = _spec_name(found), found.run
    count = len(analyse(spec, variant=run.variant, set=run.set).warnings)
    return f"{spec}: {count} warning{'s' * (count > 1)}; 'archspec check {spec}' shows them" if count else None


def _spec_name(found: Asked) -> str:
    """A run's spec, as it is found from here."""
    spec = found.run.spec
    beside = found.folder / spec
    if spec.endswith((".yaml", ".yml")) and found.folder != Path():
        return os.path.relpath(beside) if len(os.path.relpath(beside)) < len(str(beside)) else str(beside)
    return spec


def finished(plan: Plan, logdir: Path, *, resume: bool, form: str, quiet: bool, peers: Peers | None = None) -> int:
    """Train, and say what came out; the exit code. A process that leaves its peers before the end does not come back:
    it would wait for them."""
    code = _trained(plan, logdir, resume, form, quiet, peers)
    if code and peers is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def rehearsed(plan: Plan, logdir: Path, *, form: str, quiet: bool) -> int:
    """Try a run with one batch, and say what it would do; the exit code."""
    from dataclasses import asdict
    from json import dumps

    from archspec.backend.installation import quiet_start
    from archspec.cli import FAILED, NOT_A_NUMBER
    from archspec.cli._output import write
    from archspec.data.errors import DataError
    from archspec.training.distribution import DistributionError
    from archspec.training.rehearsal import rehearse

    quiet_start()
    try:
        found = rehearse(plan, lambda text: None if quiet else print(f"archspec: {text}", file=sys.stderr))
    except DataError as error:
        return failed(error.message + (f"; {error.help}" if error.help else ""), FAILED)
    except DistributionError as error:
        return failed(str(error), FAILED)
    if form == "json":
        write(dumps({**asdict(found), "logdir": str(logdir)}, indent=1, ensure_ascii=False))
    else:
        variant = f" ({found.variant})" if found.variant else ""
        loss = f"loss {found.figures['loss']:.4f}" if "loss" in found.figures else "done"
        memory = "" if found.memory is None else f", memory {found.memory / 1e6:,.0f} MB at most"
        write(
            f"{found.spec}{variant} on {found.data}: {found.params:,} parameters, {found.trainable:,} trained\n"
            f"{found.epochs} epochs of {found.steps} steps, {found.batch} examples each\n"
            f"one step: {loss}, {found.seconds:.1f} s with compilation{memory}\n"
            f"dry run: nothing is written; the run would go to {logdir}"
        )
    return 0 if found.is_finite else failed("the loss of the first batch is not finite", NOT_A_NUMBER)


def _trained(plan: Plan, logdir: Path, resume: bool, form: str, quiet: bool, peers: Peers | None) -> int:
    from archspec.backend.installation import quiet_start
    from archspec.cli import FAILED, NOT_A_NUMBER
    from archspec.data.errors import DataError
    from archspec.training.checkpoint import CheckpointError
    from archspec.training.distribution import DistributionError
    from archspec.training.interrupts import Interrupted
    from archspec.training.outcome import NotFinite
    from archspec.training.run import InUse, run

    try:
        if peers is None or peers.rank == 0:
            logdir.mkdir(parents=True, exist_ok=True)
        quiet_start()
        with _results_only() if peers else nullcontext():
            result = run(plan, logdir, resume=resume, progress=None if quiet else sys.stderr, peers=peers)
    except NotFinite as error:
        return failed(error.message, NOT_A_NUMBER)
    except Interrupted as stop:
        return failed(f"{stop}; 'archspec resume {logdir}' goes on", stop.code)
    except DataError as error:
        kept = f"; 'archspec resume {logdir}' then goes on" if (logdir / "checkpoints").is_dir() else ""
        return failed(error.message + (f"; {error.help}" if error.help else "") + kept, FAILED)
    except (InUse, CheckpointError, DistributionError) as error:
        return failed(str(error), FAILED)
    except OSError as error:
        if not error.strerror:
            raise
        place = f"{error.filename}: " if error.filename else ""
        kept = (
            f"; 'archspec resume {logdir}' goes on from the last checkpoint"
            if (logdir / "checkpoints").is_dir()
            else ""
        )
        return failed(f"{place}{error.strerror}{kept}", FAILED)
    if peers is None or peers.rank == 0:
        show(result, form)
    return 0


@contextmanager
def _results_only() -> Iterator[None]:
    """Meanwhile what is written past Python goes to stderr: JAX's peers tell on stdout that they have met."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def failed(message: str, code: int) -> int:
    from archspec.ir.diagnostics import printable

    print(f"archspec: {printable(message)}", file=sys.stderr)
    return code


def show(result: Result, form: str) -> None:
    """Print what came out of a run."""
    from dataclasses import asdict
    from json import dumps

    from archspec.cli._output import write

    if form == "json":
        write(dumps(asdict(result), indent=1, ensure_ascii=False))
        return
    figures = "  ".join(f"{name} {value:.4f}" for name, value in result.metrics.items())
    lines = [
        f"{result.run}: {result.epochs} epochs, {result.steps} steps, {result.params:,} parameters, seed {result.seed}",
        f"{result.split} ({result.examples:,} examples): {figures}" if result.split else "nothing was evaluated",
        *(f"{count} examples of {split} cannot be read and were left out" for split, count in result.left_out.items()),
        f"{result.cpu_seconds:.0f} CPU seconds, {result.seconds:.0f} s; all of it in {result.logdir}",
    ]
    write("\n".join(lines))


def recorded(
    logdir: Path,
    *,
    data: str | None = None,
    split: str | None = None,
    batch: int | None = None,
    epochs: int | None = None,
    starts: bool = False,
    peers: Peers | None = None,
) -> Plan:
    """The plan of a run directory, from its own copy of the spec; as ``planned``. Raises SpecError, OSError."""
    from archspec.cli._other import given
    from archspec.training.record import recorded_name

    found = _without_data(logdir) if data else _with_data(logdir)
    if data and not all(step.is_fitted for step in found.run.evaluate.transforms or ()):
        kept = found.run.evaluate.model_copy(update={"transforms": preparation(logdir, found)})
        found = replace(found, run=found.run.model_copy(update={"evaluate": kept}))
    found = with_flags(found, data=None, variant=None, settings={}, train={"batch": batch, "epochs": epochs})
    if data or split:
        source, split = given(logdir, found.run.data, data, split)
        found = replace(found, run=found.run.model_copy(update={"data": source}))
    if split or data or batch:
        changes: dict[str, Any] = {"split": split} if split or data else {}
        evaluate = found.run.evaluate.model_copy(update={**changes, **({"batch": batch} if batch else {})})
        found = replace(found, run=found.run.model_copy(update={"evaluate": evaluate}))
    return planned(replace(found, name=recorded_name(logdir)), starts=starts, peers=peers)


def extended(plan: Plan, logdir: Path) -> str | None:
    """Let a run directory say that its run has the plan's epochs, if that is more than were done; else what is wrong.

    Raises OSError.
    """
    from archspec.training.callbacks import is_exhausted
    from archspec.training.checkpoint import CheckpointError, Checkpoints
    from archspec.training.identity import identity
    from archspec.training.record import rewrite_run

    epochs = plan.spec.train.epochs
    try:
        position = Checkpoints(logdir, identity(plan)).position()
    except CheckpointError as error:
        return str(error)
    if position is not None and position.step >= epochs * plan.steps:
        return f"{logdir} has had {position.step // plan.steps} epochs; --epochs is how many there are to be in all"
    if position is not None and is_exhausted(plan, position):
        return f"{logdir} ended by its patience of {plan.spec.train.patience} epochs; change 'patience' in its run.yaml"
    rewrite_run(plan, logdir)
    schedule = plan.spec.train.schedule.name
    print(
        f"archspec: the run has {epochs} epochs from now on; the schedule '{schedule}' spans them all", file=sys.stderr
    )
    return None


def remembered(logdir: Path) -> tuple[Asked, FeatureSpec]:
    """The run of a directory and what its data were, without asking for them. Raises SpecError, OSError."""
    from archspec.training.record import recorded_features

    return _without_data(logdir), recorded_features(logdir)


def preparation(logdir: Path, found: Asked) -> tuple[Transform, ...]:
    """How a run prepares examples that it does not train on, with what was fitted to its training data. Raises
    SpecError where a run of before that was kept has lost its data."""
    from archspec.backend.installation import quiet_start

    steps: tuple[Transform, ...] = tuple(found.run.evaluate.transforms or ())
    if all(step.is_fitted for step in steps):
        return steps
    plan = recorded(logdir)
    quiet_start()
    return plan.fitted().pipeline.steady


def _with_data(logdir: Path) -> Asked:
    """The run of a directory. Raises SpecError, where its data are gone with what the run knows of them."""
    from archspec.cli._other import lost

    try:
        return asked(str(logdir / "run.yaml"))
    except SpecError as error:
        if problem := lost(logdir, error):
            raise SpecError([problem]) from None
        raise


def _without_data(logdir: Path) -> Asked:
    """The run of a directory, whose data may be gone, and the files that it started from."""
    from archspec.frontend.reading import read_source
    from archspec.frontend.yaml_source import read
    from archspec.training.document import RunSpec

    path = logdir / "run.yaml"
    values = {key: value for key, value in read(read_source(path, str(path))).items() if key != "data"}
    values["train"] = {key: value for key, value in values.get("train", {}).items() if key not in STARTING}
    return Asked(path.stem, RunSpec.model_validate(values, context={"folder": logdir}), None, logdir)


STARTING = ("weights", "vectors", "steps_per_execution")
"""What only a training needs to know."""
