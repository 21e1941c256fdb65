"""The members of a family: every combination of some parameters, measured, in one process or in several."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice, product
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archspec.ir.diagnostics import Source, SpecError, plain

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from archspec.ir.graph import Graph

MOST = 100_000
"""Members of a family that are measured at most."""
WORTHWHILE = 256
"""Members that are worth a process of their own, which takes about as long to start as they do to analyse."""
CHUNK = 16
"""Neighbours share most of their blocks, which are analysed once: they go to a process together."""

Progress = Callable[[int, int], None]
"""Called with the number of members done, and of all."""
Setting = tuple[Any, ...]


@dataclass(frozen=True)
class Combinations:
    """A spec, and the values of its parameters that are combined."""

    spec: str | os.PathLike[str] | Mapping[str, Any] | Source
    variant: str | None
    fixed: Mapping[str, Any]
    varied: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return prod(len(values) for values in self.varied.values())

    def settings(self) -> Iterator[Setting]:
        """Values of the varied parameters, those of the last changing fastest."""
        return product(*self.varied.values())

    def name(self, setting: Setting) -> str:
        """``width=8 depth=2``."""
        return " ".join(f"{key}={plain(value)}" for key, value in zip(self.varied, setting, strict=True))

    def load(self, setting: Setting) -> Graph:
        """The graph of a member. Raises SpecError."""
        from archspec.frontend import load, load_mapping, loads

        given = {**self.fixed, **dict(zip(self.varied, setting, strict=True))}
        if isinstance(self.spec, Mapping):
            return load_mapping(self.spec, variant=self.variant, set=given)
        if isinstance(self.spec, Source):
            return loads(self.spec.text, self.spec.name, variant=self.variant, set=given)
        return load(os.fspath(self.spec), variant=self.variant, set=given)


class Member(NamedTuple):
    """Figures of a member by column, or why it cannot be built. ``notes`` stand below a table of it; ``is_bound`` says
    that its costs are lower bounds."""

    name: str
    values: Mapping[str, Any]
    reason: str | None = None
    notes: tuple[str, ...] = ()
    is_bound: bool = False


def measured(
    combinations: Combinations,
    columns: Sequence[str],
    batch: int,
    *,
    processes: int | None = 1,
    progress: Progress | None = None,
) -> list[Member]:
    """Every member, in order, whatever the number of ``processes``; None takes as many as are worthwhile.

    Raises ValueError for more than ``MOST`` members, SpecError where none can be built: that of the first.
    """
    if len(combinations) > MOST:
        raise ValueError(f"{len(combinations):,} members are more than {MOST:,}")
    members: list[Member] = []
    with _mapping(worthwhile(len(combinations)) if processes is None else processes) as apply:
        for part in apply(partial(_measure, combinations, tuple(columns), batch), _chunks(combinations.settings())):
            members += part
            if progress is not None:
                progress(len(members), len(combinations))
    if all(member.reason is not None for member in members):
        combinations.load(next(combinations.settings()))
    return members


def worthwhile(members: int) -> int:
    """Processes that so many members keep busy, at most one for each processor."""
    # Only Linux says which processors a process may use.
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(processors, members // WORTHWHILE))


def _measure(
    combinations: Combinations, columns: tuple[str, ...], batch: int, settings: Sequence[Setting]
) -> list[Member]:
    from archspec.report.columns import Measured
    from archspec.report.grid import of_networks

    members = []
    for setting in settings:
        name = combinations.name(setting)
        try:
            graph = combinations.load(setting)
        except SpecError as error:
            members.append(Member(name, {}, error.diagnostics[0].message))
            continue
        grid = of_networks([(name, Measured(graph.inference(), batch))], columns)
        values = dict(zip(grid.columns, grid.rows[0][1], strict=True))
        members.append(Member(name, values, notes=grid.notes, is_bound=bool(grid.bounds)))
    return members


def _chunks(settings: Iterator[Setting]) -> Iterator[list[Setting]]:
    while chunk := list(islice(settings, CHUNK)):
        yield chunk


@contextmanager
def _mapping(processes: int) -> Iterator[Callable[..., Iterable[list[Member]]]]:
    """``map``, or that of a pool of processes. An interruption ends them at once."""
    if processes == 1:
        yield map
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Spawned, since a notebook that has loaded TensorFlow cannot be forked safely.
    pool: Executor = ProcessPoolExecutor(processes, get_context("spawn"), _leave_interruptions)
    try:
        yield pool.map
    except BaseException:
        _end_children()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interruptions() -> None:
    """Ctrl-C reaches every process of a terminal: the first one ends the others."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_children() -> None:
    from multiprocessing import active_children

    for child in active_children():
        child.terminate()
