"""A run directory as a page: that of its network, with what training and an evaluation say."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.analysis.hardware import Hardware
from archspec.ir.diagnostics import SpecError, printable
from archspec.report.page.network import page, reported
from archspec.report.page.trained import Evaluated, ReportedRun, WorstExample
from archspec.runs.comparison import compare, flat, read_json
from archspec.runs.directory import recorded, without_data

if TYPE_CHECKING:
    from archspec.evaluators.base import Assessment
    from archspec.training.plan import Plan

WORST = 12
"""Examples that are shown."""
TILE = 112
"""Pixels of their pictures."""
ENVIRONMENT = ("seed", "backend", "python", "packages", "machine", "git", "command")
"""What a page shows of ``environment.json``; all else there is of the data and the network."""


def run_page(logdir: Path, machine: Hardware, *, evaluates: bool = True, training: bool = False, batch: int = 1) -> str:
    """The page of a run directory. It ``evaluates`` the trained network on the split of the run, for which its data and
    TensorFlow are needed; where that cannot be, the page says why.

    Raises RunError where there is no run, SpecError where its own files are damaged, OSError.
    """
    from archspec.training.record import recorded_name

    (trained,) = compare([logdir]).runs
    request = without_data(logdir)
    network = reported(
        request.spec, machine, variant=request.run.variant, set=request.run.set, training=training, batch=batch
    )
    said = read_json(logdir / "environment.json")
    run = ReportedRun(
        name=recorded_name(logdir),
        trained=trained,
        evaluated=_evaluated(logdir) if evaluates else "not asked for (--no-evaluate)",
        text=(logdir / "run.yaml").read_text(encoding="utf-8"),
        environment=dict(flat({name: _of_words(said[name]) for name in ENVIRONMENT if name in said})),
    )
    return page(network, run=run)


def _of_words(value: object) -> Any:
    """A command as a person types it."""
    import shlex

    return shlex.join(map(str, value)) if isinstance(value, list) else value


def _evaluated(logdir: Path) -> Evaluated | str:
    """What an evaluation says, or why there is none."""
    from archspec.backend.wiring import WeightsError
    from archspec.data.errors import DataError
    from archspec.training import evaluation
    from archspec.training.errors import RunError, TaskError
    from archspec.training.trained import weights_file

    try:
        weights = weights_file(logdir, best=False)
        plan = recorded(logdir).plan()
        if plan.split is None:
            return "the data have no split that was held out"
        found = evaluation.evaluate([plan], [weights])
        return Evaluated(
            data=f"{plan.split} of {plan.source.name}: {plan.pipeline.count(plan.split):,} examples",
            text="\n\n".join(one.text() for one in found),
            pictures=_pictures(plan, found),
            worst=_worst(plan, found),
        )
    except (SpecError, WeightsError, DataError, RunError, TaskError, OSError) as error:
        return f"the network was not evaluated: {error}"


def _pictures(plan: Plan, found: Sequence[Assessment]) -> dict[str, bytes]:
    """What the task and its evaluators draw."""
    from archspec.data.grid import png

    panels: dict[str, Any] = {name: panel for one in found for name, panel in one.panels().items()}
    return {printable(name): png(panel) for name, panel in {**panels, **plan.task.panels(plan, found)}.items()}


def _worst(plan: Plan, found: Sequence[Assessment]) -> list[WorstExample]:
    """The examples that were predicted worst, by the first evaluator that ranks them."""
    import numpy as np

    from archspec.data.errors import DataError
    from archspec.data.grid import png
    from archspec.data.sheet import tiles
    from archspec.evaluators.base import Ranking

    split = plan.split
    assert split is not None
    count = plan.pipeline.count(split)
    # Where steps of examples are counted, a row is no example.
    ranked = (one.worst(WORST) for one in found if isinstance(one, Ranking) and one.examples == count)
    mistakes = next(filter(None, ranked), ())
    usable = plan.source.usable(split)
    rows: Any = [mistake.row for mistake in mistakes]
    at: list[int] = rows if usable is None else np.asarray(usable)[rows].tolist()
    pictures: Sequence[bytes | None] = [None] * len(at)
    # They may be no images, or none of one or three channels.
    with suppress(DataError):
        pictures = [png(tile) for tile in tiles(plan.pipeline, at, split, TILE)] if at else ()
    return [
        WorstExample(printable(plan.source.describe(split, k)), printable(mistake.told), picture)
        for k, mistake, picture in zip(at, mistakes, pictures, strict=True)
    ]
