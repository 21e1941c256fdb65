"""What a trained network says of files that a person names: images, lines of text, or rows of tables."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.data.errors import DataError
from archspec.data.example import IMAGE, POSITION, Example
from archspec.data.features.image import Image
from archspec.data.features.tokens import Tokens
from archspec.data.features.vector import Vector
from archspec.evaluators.base import Batch
from archspec.ir.diagnostics import advised, shown

if TYPE_CHECKING:
    from archspec.data.feature import Feature
    from archspec.data.loose import Together
    from archspec.data.transform import Transform
    from archspec.data.video import Video
    from archspec.ir.graph import Graph
    from archspec.training.task import Predictor


@dataclass(frozen=True, slots=True)
class Asked:
    """What a network is asked about: batches of examples, each with what a person calls its examples and how many steps
    they have (None where that means nothing). ``kind`` is what an example is; ``bad`` tells of what cannot be read,
    ``notes`` of what may be read otherwise than is meant."""

    kind: str
    batches: Iterable[tuple[list[str], dict[str, Any], list[int] | None]] = ()
    bad: tuple[str, ...] = field(default=())
    notes: tuple[str, ...] = ()


def answers(
    predictor: Predictor,
    asked: Asked,
    features: Example,
    top: int,
    kept: Callable[[str, Batch, Batch, Mapping[str, Any]], dict[str, Any]] = lambda name, batch, said, record: {},
) -> Iterator[dict[str, Any]]:
    """A record for each example, with what it is called under its kind, and what ``kept`` makes of an example's name,
    batch, answer and record."""
    for names, batch, lengths in asked.batches:
        said = predictor(batch)
        records = predictor.records(said, features, top, lengths)
        for name, record in zip(names, records, strict=True):
            yield {asked.kind: name} | record | kept(name, batch, said, record)


def images(paths: Sequence[Path], features: Example, steps: Sequence[Transform], max_pixels: int) -> Asked:
    """Every image as the network takes it, prepared as the run evaluated, one by one."""
    from archspec.backend.installation import quiet_start
    from archspec.data.loose import ASKED, Loose
    from archspec.data.pipeline import Pipeline

    quiet_start()
    spec = features.image
    assert spec.channels is not None
    asked = Loose(paths=tuple(map(str, paths)), channels=spec.channels, max_pixels=max_pixels)
    unsound = asked.unsound()
    bad = tuple(f"{path} {unsound[path]}" for path in asked.paths if path in unsound)
    sound = tuple(path for path in asked.paths if path not in unsound)
    if not sound:
        return Asked(IMAGE, (), bad)
    steps = sized({IMAGE: Image(spec)}, steps)
    source = asked.model_copy(update={"paths": sound})
    batches = Pipeline(source, source.features(), (), steps, 1, 0).evaluation(ASKED, lambda batch: (batch, ()))

    def alone(batch: Mapping[str, Any]) -> dict[str, Any]:
        """Without a place among data: what is done to these is not done to what a person asks about."""
        return {name: value for name, value in batch.items() if name not in POSITION}

    # One after the other: memory does not grow with their number.
    items = (([path], alone(batch), None) for path, (batch, _) in zip(sound, batches, strict=True))
    return Asked(IMAGE, items, bad)


FRAME = "frame"
"""Under this a batch has the pixels of the frame that it was prepared from: (height, width, channels)."""


def frames(video: Video, features: Example, steps: Sequence[Transform]) -> Asked:
    """Every frame of a video as the network takes it, prepared as the run evaluated, one by one: none is kept."""
    from archspec.data import corners
    from archspec.data.example import CORNERS
    from archspec.data.features.points import Points
    from archspec.data.pipeline import steady
    from archspec.ir.tensors import TensorSpec

    spec = features.image
    channels = spec.channels or 3
    steps = sized({IMAGE: Image(spec)}, steps)
    before = {IMAGE: Image(TensorSpec((None, None, channels), "uint8")), CORNERS: Points(corners.COUNT)}
    prepared = steady(steps, Example(before, {}))

    def batches() -> Iterator[tuple[list[str], dict[str, Any], list[int] | None]]:
        import numpy as np

        for frame in video.frames(channels):
            placed = corners.corners([(frame.shape[1], frame.shape[0])])
            seen = prepared({IMAGE: frame[None], CORNERS: placed})
            yield [str(video.path)], {name: np.asarray(value) for name, value in seen.items()} | {FRAME: frame}, None

    return Asked("video", batches())


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


def rows(paths: Sequence[Path], part: str, features: Example, steps: Sequence[Transform], encoding: str) -> Asked:
    """Rows of numbers of tables, whose columns go by the headings of those that the run was trained on, prepared as the
    run evaluated, one by one. Raises DataError for a part that is no row of numbers."""
    from archspec.data.loose import Together
    from archspec.data.table import rows_of_numbers

    kind = features.features[part]
    names, count = features.columns.get(part, ()), len(headings(features, (part,))[part])
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
    batches = _prepared(Together(kinds={part: kind}, values={part: values}), steps) if values else ()
    items = [([place], batch, None) for place, batch in zip(places, batches, strict=True)]
    return Asked("row", items, tuple(bad), tuple(notes))


def together(
    paths: Sequence[Path],
    parts: Sequence[str],
    features: Example,
    steps: Sequence[Transform],
    encoding: str,
    max_pixels: int,
    cuts: bool,
) -> Asked:
    """Rows of tables, of which each has all parts that a network of several inputs reads (``headings`` says in which
    columns), prepared as the run evaluated, one by one. Paths of images count from the table's folder; ``cuts`` is
    whether a text may be cut. Raises DataError."""
    from archspec.backend.installation import quiet_start
    from archspec.data.loose import Together
    from archspec.data.table import rows_of_parts

    quiet_start()
    kinds = {part: features.features[part] for part in parts}
    columns = headings(features, parts)
    bad, places, values = list[str](), list[str](), dict[str, list[Any]]({part: [] for part in parts})
    known = ", ".join(name for names in columns.values() for name in names)
    for path in paths:
        if path.is_file() and path.suffix.lower() not in (".csv", ".tsv"):
            help = f"a .csv or .tsv file with the columns {known}"
            bad.append(advised(f"{path}: the network reads {' and '.join(parts)}, which a table gives", help))
            continue
        try:
            found = rows_of_parts(path, encoding, columns)
        except DataError as error:
            bad.append(advised(error.message, error.help))
            continue
        unsound = _unsound(path, kinds, [cells for _, cells in found], max_pixels)
        for line, cells in found:
            place = f"{path}, line {line}"
            try:
                row = {
                    part: _value(place, path, kind, cells[part], columns[part], unsound, cuts)
                    for part, kind in kinds.items()
                }
            except DataError as error:
                bad.append(advised(error.message, error.help))
                continue
            places.append(place)
            for part, value in row.items():
                values[part].append(value)
    batches = _prepared(Together(kinds=kinds, values=values), steps) if places else ()
    items = [([place], batch, None) for place, batch in zip(places, batches, strict=True)]
    return Asked("row", items, tuple(bad))


def headings(features: Example, parts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The headings of the columns that hold each part: those of the run's own table or, where it came from none, the
    name of an image or a text, and ``NAME.1``, ``NAME.2``, … of numbers. Those of two parts have the part's name in
    front. Raises DataError for a part that no cells hold."""
    out: dict[str, tuple[str, ...]] = {}
    for part in parts:
        kind = features.features[part]
        if isinstance(kind, Image) or (isinstance(kind, Tokens) and kind.vocabulary is not None):
            out[part] = features.columns.get(part, (part,))
        elif isinstance(kind, Vector) and kind.spec.rank == 1 and (size := kind.spec.shape[0]) is not None:
            out[part] = features.columns.get(part) or tuple(f"{part}.{k + 1}" for k in range(size))
        else:
            raise DataError(f"'{part}' is no image, text or row of numbers that a table could hold, but {kind.spec}")
    every = [name for names in out.values() for name in names]
    return {
        part: (part,)
        if isinstance(features.features[part], Image) and every.count(names[0]) > 1
        else tuple(name if every.count(name) == 1 else f"{part}.{name}" for name in names)
        for part, names in out.items()
    }


def _unsound(
    table: Path, kinds: Mapping[str, Feature], rows: Sequence[Mapping[str, list[str]]], max_pixels: int
) -> dict[str, str]:
    """Images of a table that cannot be read, with the reason, by their paths. Decodes all."""
    from archspec.data.loose import Loose

    out: dict[str, str] = {}
    for part, kind in kinds.items():
        if isinstance(kind, Image):
            paths = dict.fromkeys(_path(table, cells[part][0]) for cells in rows if cells[part][0])
            assert kind.spec.channels is not None
            asked = Loose(paths=tuple(paths), channels=kind.spec.channels, max_pixels=max_pixels)
            out |= asked.unsound() if paths else {}
    return out


def _path(table: Path, text: str) -> str:
    return os.path.join(table.parent, text)


def _value(
    place: str,
    table: Path,
    kind: Feature,
    cells: Sequence[str],
    names: Sequence[str],
    unsound: Mapping[str, str],
    cuts: bool,
) -> Any:
    """What the cells of one part hold: a path, tokens or numbers. Raises DataError."""
    from archspec.data.table import number

    if not isinstance(kind, (Image, Tokens)):
        return [number(cell, place, name) for cell, name in zip(cells, names, strict=True)]
    (text,), (name,) = cells, names
    if not text or "\0" in text:
        raise DataError(f"{place}: {name} is empty")
    if isinstance(kind, Image):
        path = _path(table, text)
        if path in unsound:
            raise DataError(f"{place}: {path} {unsound[path]}")
        return path
    assert kind.vocabulary is not None
    row, length = kind.vocabulary.encode(text), kind.steps
    if length is not None and len(row) > length and not cuts:
        raise DataError(f"{place}: {shown(text, 40)} has {len(row)} tokens, the network reads {length}")
    return row if length is None else [*row[:length], *[0] * (length - len(row))]


def sized(kinds: Mapping[str, Feature], steps: Sequence[Transform]) -> tuple[Transform, ...]:
    """The steps of a run for images of any size: where its data had one, which its transforms count on, they are
    brought to it first."""
    from archspec.data.transforms.caching import Cache
    from archspec.data.transforms.geometry import Resize
    from archspec.data.transforms.parts import Apply

    first: list[Transform] = []
    for part, kind in kinds.items():
        if isinstance(kind, Image) and None not in kind.spec.spatial:
            resize = Resize(size=kind.spec.spatial)  # type: ignore[arg-type]
            first.append(resize if part == IMAGE else Apply(to=(part,), steps=(resize,)))
    return (*first, *(step for step in steps if not isinstance(step, Cache)))


def _prepared(source: Together, steps: Sequence[Transform]) -> list[dict[str, Any]]:
    """Examples as the network takes them, each a batch of one."""
    from archspec.backend.installation import quiet_start
    from archspec.data.loose import ASKED
    from archspec.data.pipeline import Pipeline

    quiet_start()
    pipeline = Pipeline(source, source.features(), (), sized(source.kinds, steps), 1, 0)
    return [dict(batch) for batch, _ in pipeline.evaluation(ASKED, lambda batch: (batch, ()))]
