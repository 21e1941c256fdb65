"""The members of a family side by side: which are kept, and which no other beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.report.columns import COLUMNS, LOWER_BOUNDS, extent
from archspec.report.grid import Grid, check, in_order
from archspec.report.members import Combinations, Member, Progress, measured

if TYPE_CHECKING:
    import os

    from archspec.ir.diagnostics import Source


USUAL = ("params", "macs", "activations", "memory")
"""Columns where none are chosen."""


@dataclass(frozen=True)
class Sweep:
    """``grid`` holds the members that are kept, a row each; ``unbuilt`` the names of those that cannot be built, with
    the reason. ``considered`` are all that meet ``where``, of which the front is drawn."""

    grid: Grid
    unbuilt: tuple[tuple[str, str], ...]
    considered: tuple[Member, ...]
    pareto: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """The members that are kept, as programs read them."""
        return self.grid.records()

    def render(self, format: str = "text", **options: Any) -> str:
        """The table in a format of ``Grid.render``. Raises ValueError for another."""
        return self.grid.render(format, **options)

    def svg(self) -> str:
        """Every member as a point over the two columns of ``pareto``, those of the front named. Raises ValueError where
        ``pareto`` does not name two columns."""
        from archspec.report.scatter import Marker, scatter

        if len(self.pareto) != 2:
            raise ValueError(f"a front is drawn over two columns, such as params,macs; got {len(self.pareto)}")
        x, y = (name.lstrip("+") for name in self.pareto)
        kept = {name for name, _ in self.grid.rows}
        points = [
            Marker(member.name, across, upwards, member.name in kept)
            for member in self.considered
            if (across := number(member.values[x])) is not None and (upwards := number(member.values[y])) is not None
        ]
        return scatter(points, COLUMNS[x], COLUMNS[y])

    def _repr_html_(self) -> str:
        return self.grid.render("html")


def sweep(
    spec: str | os.PathLike[str] | Mapping[str, Any] | Source,
    vary: Mapping[str, Sequence[Any]],
    *,
    variant: str | None = None,
    set: Mapping[str, Any] | None = None,
    where: str | None = None,
    pareto: Sequence[str] = (),
    best: str | None = None,
    columns: Sequence[str] = USUAL,
    sort: str | None = None,
    batch: int = 1,
    processes: int | None = 1,
    progress: Progress | None = None,
) -> Sweep:
    """Analyse every combination of parameters of a spec.

    Arguments:
        spec: what ``load`` takes, or a text with a name.
        vary: values by parameter.
        variant: a variant of a family, as for ``load``.
        set: parameters that are the same for all.
        where: an expression over columns that is true of the members to keep: ``macs < 600M and params < 5M``.
        pareto: columns in all of which no other member may be better; smaller is better, of ``+COLUMN`` larger.
        best: a column of which the best member alone is kept, by the same sign.
        columns: what the table shows: names of ``archspec table --columns``.
        sort: a column whose largest value comes first.
        batch: samples that costs are counted for.
        processes: that work side by side; None takes as many as are worthwhile. A script that asks for several keeps
            its own work below ``if __name__ == "__main__"``, as ``multiprocessing`` asks.
        progress: called with the number of members done, and of all.

    Raises:
        SpecError: no member can be built.
        ValueError: a column that there is not or that cannot be compared, an expression without truth, more than
            100,000 members.
    """
    condition = None if where is None else Condition(where)
    aims = [*pareto, *([] if best is None else [best])]
    asked = [*columns, *(name.lstrip("+") for name in aims), *([] if condition is None else condition.columns)]
    needed = list(dict.fromkeys([*asked, *([] if sort is None else [sort])]))
    for name in needed:
        check(name)
        if COLUMNS[name].needs_hardware:
            raise ValueError(f"column {name} needs hardware, which a sweep does not take")
    for name in (aim.lstrip("+") for aim in aims):
        if COLUMNS[name].is_text or name == "offset":
            raise ValueError(f"column {name} has no figures, of which one could be better")
    combinations = Combinations(spec, variant, dict(set or {}), {name: list(values) for name, values in vary.items()})
    members = measured(combinations, needed, batch, processes=processes, progress=progress)
    built = [member for member in members if member.reason is None]
    considered = kept = [member for member in built if condition is None or condition.holds(member.values)]
    uncompared: list[str] = []
    if pareto:
        uncompared += _uncompared(kept, pareto)
        kept = _front(kept, pareto)
    if best is not None:
        uncompared += _uncompared(kept, [best])
        kept = _best(kept, best)
    rows = [(member.name, dict(member.values)) for member in kept]
    if sort is not None:
        rows = in_order(rows, sort)
    unbuilt = tuple((member.name, member.reason) for member in members if member.reason is not None)
    note = f"{len(kept)} of {len(members)} members" + (f", {len(unbuilt)} not built" if unbuilt else "")
    grid = Grid(
        "",
        "member",
        tuple(columns),
        tuple((name, tuple(values[column] for column in columns)) for name, values in rows),
        notes=(*dict.fromkeys(note for member in built for note in member.notes), *uncompared, note),
        bounds=frozenset(member.name for member in built if member.is_bound),
    )
    return Sweep(grid, unbuilt, tuple(considered), tuple(pareto))


class Condition:
    """An expression over columns, in which counts may have units. Raises ValueError for what is none."""

    def __init__(self, text: str):
        from archspec.frontend.arithmetic import ExpressionError
        from archspec.frontend.expressions import names_in

        self.text = _with_units(text)
        try:
            self.columns = sorted(names_in(self.text))
        except ExpressionError as error:
            raise ValueError(f"--where: {error.message}") from None

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether it is true of a member. Raises ValueError where it has no truth."""
        from archspec.frontend.arithmetic import ExpressionError
        from archspec.frontend.expressions import evaluate
        from archspec.ir.diagnostics import shown

        def lookup(name: str) -> Any:
            value = values[name]
            if name == "receptive_field" and isinstance(value, str):
                return number(value)
            return list(value) if isinstance(value, tuple) else value

        try:
            found = evaluate(self.text, lookup)
        except ExpressionError as error:
            raise ValueError(f"--where: {error.message}") from None
        if type(found) is not bool:
            raise ValueError(f"--where must be true or false of a member, got {shown(found)}")
        return found


def number(value: object) -> float | None:
    """A figure as a number; a receptive field of the whole input is larger than any. None for what is no figure."""
    if isinstance(value, str):
        size = extent(value)
        return 2.0**53 if size is None else size
    return value if isinstance(value, (int, float)) else None


def _figures(member: Member, columns: Sequence[str]) -> list[float | None]:
    """Its figures in these columns, None for one that is not known: a lower bound says not how large it is."""
    names = [column.lstrip("+") for column in columns]
    bounds = LOWER_BOUNDS if member.is_bound else ()
    return [None if name in bounds else number(member.values[name]) for name in names]


def _uncompared(members: list[Member], columns: Sequence[str]) -> list[str]:
    """A note on the members of which a figure is not known."""
    left_out = [member.name for member in members if None in _figures(member, columns)]
    if not left_out:
        return []
    some = ", ".join(left_out[:3]) + (", …" if len(left_out) > 3 else "")
    names = ", ".join(column.lstrip("+") for column in columns)
    are = "is" if len(left_out) == 1 else "are"
    return [f"{len(left_out)} of {len(members)} {are} not compared, for {names} {are} not known in full: {some}"]


def _aimed(members: list[Member], columns: Sequence[str]) -> list[tuple[tuple[float, ...], Member]]:
    """What is to be small of every member, with the member; without those of which a figure is not known."""
    out = []
    for member in members:
        numbers = _figures(member, columns)
        point = [-n if c.startswith("+") else n for c, n in zip(columns, numbers, strict=True) if n is not None]
        if len(point) == len(columns):
            out.append((tuple(point), member))
    return out


def _front(members: list[Member], columns: Sequence[str]) -> list[Member]:
    """The members that no other beats."""
    from archspec.analysis.pareto import front

    aimed = _aimed(members, columns)
    return [aimed[i][1] for i in front([point for point, _ in aimed])]


def _best(members: list[Member], column: str) -> list[Member]:
    """The first of the best members, alone; none where the figure is not known of any."""
    aimed = _aimed(members, [column])
    return [min(aimed, key=lambda pair: pair[0])[1]] if aimed else []


def _with_units(text: str) -> str:
    """An expression with its units worked out: ``5M`` is 5000000. Raises ValueError for a unit in the other case."""
    import re

    from archspec.ir.quantities import BYTES, PREFIXES, byte_size, count

    def value(match: re.Match[str]) -> str:
        units = {unit.lower(): unit for unit in (*BYTES, *PREFIXES)}
        if match[2] not in (*PREFIXES, *BYTES) and (meant := units.get(match[2].lower())):
            raise ValueError(f"--where: {match[0]} has no unit that is known; write {match[1]}{meant}")
        read = count if match[2] in PREFIXES else byte_size if match[2] in BYTES else None
        return match[0] if read is None else str(read(match[0]))

    return re.sub(r"(?<![\w.])(\d[\d.]*)\s?([A-Za-z]+)\b", value, text)
