"""What a trained network says of files that a person names: images, or lines of text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, VECTOR, Example
from archspec.evaluators.base import Batch
from archspec.ir.diagnostics import advised, shown

if TYPE_CHECKING:
    from archspec.data.feature import Feature
    from archspec.data.transform import Transform
    from archspec.ir.graph import Graph
    from archspec.training.task import Predictor


@dataclass(frozen=True, slots=True)
class Asked:
    """What a network is asked about: batches of examples, each with what a person calls its examples and how many steps
    they have (None where that means nothing). ``kind`` is what an example is; ``bad`` tells of what cannot be read,
    ``notes`` of what may be read otherwise than is meant."""

    kind: str
    batches: Sequence[tuple[list[str], dict[str, Any], list[int] | None]] = ()
    bad: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = ()


def answers(
    predictor: Predictor,
    asked: Asked,
    features: Example,
    top: int,
    kept: Callable[[str, Batch, Batch], dict[str, Any]] = lambda name, batch, said: {},
) -> Iterator[dict[str, Any]]:
    """A record for each example, with what it is called under its kind, and what ``kept`` makes of an example's name,
    batch and answer."""
    for names, batch, lengths in asked.batches:
        said = predictor(batch)
        records = predictor.records(said, features, top, lengths)
        for name, record in zip(names, records, strict=True):
            yield {asked.kind: name} | record | kept(name, batch, said)


def images(paths: Sequence[Path], features: Example, steps: Sequence[Transform], max_pixels: int) -> Asked:
    """Every image as the network takes it, prepared as the run evaluated, one by one."""
    from archspec.backend.installation import quiet_start
    from archspec.data.example import CORNERS
    from archspec.data.loose import ASKED, Loose
    from archspec.data.pipeline import Pipeline
    from archspec.data.transforms.caching import Cache
    from archspec.data.transforms.geometry import Resize

    quiet_start()
    spec = features.image
    assert spec.channels is not None
    asked = Loose(paths=tuple(map(str, paths)), channels=spec.channels, max_pixels=max_pixels)
    unsound = asked.unsound()
    bad = tuple(f"{path} {unsound[path]}" for path in asked.paths if path in unsound)
    sound = tuple(path for path in asked.paths if path not in unsound)
    if not sound:
        return Asked(IMAGE, (), bad)
    steps = tuple(step for step in steps if not isinstance(step, Cache))
    if None not in spec.spatial:
        # The data of the run had one size, which its transforms count on.
        steps = (Resize(size=spec.spatial), *steps)  # type: ignore[arg-type]
    source = asked.model_copy(update={"paths": sound})
    batches = Pipeline(source, source.features(), (), steps, 1, 0).evaluation(ASKED, lambda batch: (batch, ()))
    items = [
        ([path], {IMAGE: batch[IMAGE], CORNERS: batch[CORNERS]}, None)
        for path, (batch, _) in zip(sound, batches, strict=True)
    ]
    return Asked(IMAGE, items, bad)


def texts(paths: Sequence[Path], graph: Graph, features: Example, part: str, predictor: Predictor) -> Asked:
    """Every line that is not empty, as a part of examples whose vocabulary the run has. Raises DataError for a line
    that is longer than what the network reads, and may not be cut."""
    from archspec.data.text import padded, read_text

    lines: list[str] = []
    bad = []
    for path in paths:
        try:
            lines += [text for line in read_text(path, "utf-8", streams=True).split("\n") if (text := line.strip())]
        except DataError as error:
            bad.append(error.message)
    vocabulary, together = features.vocabularies[part], predictor.together
    length = graph.inputs[part].shape[0] if part in graph.inputs else features.parts[part].shape[0]
    rows = [vocabulary.encode(text) for text in lines]
    for text, row in zip(lines, rows, strict=True):
        if length is not None and len(row) > length and not predictor.cuts:
            raise DataError(f"{shown(text, 40)} has {len(row)} tokens, the network reads {length}")
    batches = []
    for first in range(0, len(rows), together):
        some = rows[first : first + together]
        batches.append((lines[first : first + together], {part: padded(some, length)}, [len(row) for row in some]))
    return Asked("text", batches, tuple(bad))


def rows(paths: Sequence[Path], features: Example, steps: Sequence[Transform], encoding: str) -> Asked:
    """Rows of numbers of tables, whose columns go by the headings of those that the run was trained on, prepared as the
    run evaluated, one by one."""
    from archspec.data.table import rows_of_numbers

    vector = features.features[VECTOR]
    names, count = features.columns.get(VECTOR, ()), vector.spec.shape[0]
    assert count is not None
    bad, notes, places, values = [], [], list[str](), list[list[float]]()
    for path in paths:
        try:
            found, note = rows_of_numbers(path, encoding, names, count)
        except DataError as error:
            bad.append(advised(error.message, error.help))
            continue
        notes += [note] if note else []
        places += [f"{path}, line {line}" for line, _ in found]
        values += [row for _, row in found]
    batches = [([place], batch, None) for place, batch in zip(places, _prepared(values, vector, steps), strict=True)]
    return Asked("row", batches, tuple(bad), tuple(notes))


def _prepared(values: Sequence[Sequence[float]], vector: Feature, steps: Sequence[Transform]) -> list[dict[str, Any]]:
    """Rows as the network takes them, each a batch of one."""
    import numpy as np

    from archspec.backend.installation import quiet_start
    from archspec.data.loose import ASKED, Rows
    from archspec.data.pipeline import Pipeline
    from archspec.data.transforms.caching import Cache

    if not values:
        return []
    quiet_start()
    source = Rows(vector=vector, values=tuple(map(tuple, values)))
    steps = tuple(step for step in steps if not isinstance(step, Cache))
    batches = Pipeline(source, source.features(), (), steps, 1, 0).evaluation(ASKED, lambda b: (b[VECTOR], ()))
    return [{VECTOR: np.asarray(batch)} for batch, _ in batches]
