"""What a run directory adds to the page of its network: curves, figures, an evaluation, what made it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from archspec.report.comparison import Comparison, TrainedRun, counted, plain, written
from archspec.report.comparison.curves import chart


class WorstExample(NamedTuple):
    """What the data call an example, what was predicted of it and what it is, and its picture as PNG, if it has one."""

    name: str
    told: str
    picture: bytes | None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation of the trained network: what was evaluated, in a line; its text; PNG pictures by name; the worst
    examples."""

    data: str
    text: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    worst: Sequence[WorstExample] = ()


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """A run that a page is about. ``evaluated`` is a sentence where there is no evaluation; ``text`` is the run file,
    ``environment`` what else made the run."""

    name: str
    trained: TrainedRun
    evaluated: Evaluated | str
    text: str
    environment: Mapping[str, str]


def sections(of: ReportedRun) -> dict[str, str]:
    """Heads and HTML of what is known of a run besides its network."""
    comparison = Comparison((of.trained,))
    curves = "".join(chart(comparison.runs, figure) for figure in comparison.figures)
    found = of.evaluated
    out = {"Training": _figures(comparison), "Curves": f'<div class="charts">{curves}</div>' if curves else ""}
    if isinstance(found, str):
        out["Evaluation"] = _remark(found)
    else:
        pictures = "".join(map(_picture, found.pictures, found.pictures.values()))
        out["Evaluation"] = f'{_remark(found.data)}<pre class="said">{escape(found.text)}</pre>'
        out["Pictures"] = f'<div class="pictures">{pictures}</div>' if pictures else ""
        out["Worst examples"] = f'<ol class="worst">{"".join(map(_example, found.worst))}</ol>' if found.worst else ""
    out["Run file"] = f'<pre class="said">{escape(of.text.rstrip())}</pre>'
    out["Environment"] = _pairs(of.environment)
    return out


def _figures(comparison: Comparison) -> str:
    """A row for each figure: after the last epoch and after the best."""
    (run,) = comparison.runs
    if not run.history:
        return _remark("no epoch has ended yet")
    last, best = run.at(len(run.history)), run.at(run.best)
    heads = ("figure", f"last epoch ({len(run.history)})", f"best epoch ({run.best})" if run.best else "best epoch")
    rows = [(plain(name), written(last.get(name)), written(best.get(name))) for name in comparison.figures]
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    facts = "".join(
        f"<div><dt>{escape(name.replace('_', ' '))}</dt><dd>{counted(value)}</dd></div>"
        for name, value in run.facts.items()
    )
    return f'<table class="grid"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><dl>{facts}</dl>'


def _picture(name: str, png: bytes) -> str:
    return f"<figure><figcaption>{escape(name)}</figcaption>{_image(png, name)}</figure>"


def _example(of: WorstExample) -> str:
    shown = "" if of.picture is None else _image(of.picture, of.name)
    return f"<li>{shown}<span>{escape(of.told)}</span><small>{escape(of.name)}</small></li>"


def _image(png: bytes, told: str) -> str:
    return f'<img src="data:image/png;base64,{b64encode(png).decode()}" alt="{escape(told)}">'


def _pairs(of: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in of.items()
    )
    return f'<table class="pairs"><tbody>{rows}</tbody></table>' if rows else ""


def _remark(text: str) -> str:
    return f'<p class="remark">{escape(text)}</p>'
