"""Keras models → specs: calls of layers become steps, which ``archspec.writing`` brings into a readable form.

Of a file its config alone is read, which is JSON: nothing that it names is made, imported or run.
"""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import ZIP_FAULTS, Archive, WeightsError, bundled_config
from archspec.backend.importers import keras_calls
from archspec.backend.importers.keras_arguments import Step, UnsaidLayer, results_of
from archspec.backend.importers.keras_calls import Calls, LayerCall, LayerOutput
from archspec.backend.importers.keras_items import with_items
from archspec.backend.importers.keras_statistics import is_adapted, with_statistics
from archspec.backend.importers.keras_steps import parts_of
from archspec.ir.graph import Graph
from archspec.writing import Unwritable, spec_text
from archspec.writing.draft import Draft, RefusedSteps
from archspec.writing.regions import SharedOtherwise, networks_of

if TYPE_CHECKING:
    import keras


def of_file(path: Path) -> str:
    """The spec of a ``.keras`` file's model. Raises WeightsError with the file's name, OSError."""
    try:
        with zipfile.ZipFile(path) as bundle:
            config = json.loads(bundled_config(bundle))["config"]
    except (*ZIP_FAULTS, TypeError, RecursionError):
        raise WeightsError(f"{path}: this is no .keras file, or a damaged one") from None
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None

    def archive() -> Archive:
        from archspec.backend.importers import hdf5

        return hdf5.archive(path)

    try:
        return _of_config(config, path.stem, archive)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def of_model(model: keras.Model) -> str:
    """The spec of a functional or sequential model in memory. Raises WeightsError with the name of a layer that no
    spec says."""

    def archive() -> Archive:
        from archspec.backend.importers import keras_config

        return keras_config.archive(model)

    return _of_config(model.get_config(), model.name, archive)


def _of_config(config: Any, name: str, archive: Callable[[], Archive]) -> str:
    try:
        calls = keras_calls.of_model(config, "")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise WeightsError("its config is not that of a Keras model") from None
    if calls is None:
        raise WeightsError("the model is neither functional nor sequential: its wiring is not known")
    if any(map(is_adapted, calls.calls)):
        calls = with_statistics(calls, archive().by_name)
    calls = with_items(calls)
    graph = graph_of(calls, name)
    try:
        return spec_text(graph)
    except Unwritable as error:
        raise WeightsError(f"no spec says this model: {error}") from None


def graph_of(calls: Calls, name: str) -> Graph:
    """The graph of a model's calls. Raises WeightsError with the name of a layer that is no op."""
    draft = Draft[LayerCall](name)
    names: dict[LayerOutput, str] = {}
    for layer, shape, dtype in calls.inputs:
        if shape is None:
            raise WeightsError(f"the shape of the input {layer!r} is not known")
        names[LayerOutput(layer)] = draft.input(layer, shape[1:], dtype)
    bundles: dict[LayerOutput, Sequence[str]] = {}

    def result(at: LayerOutput) -> str:
        whole = replace(at, port=0)
        if (words := bundles.get(whole)) is None:
            return names[whole]
        return f"{names[whole]}.{words[at.port]}" if words else f"{names[whole]}[{at.port}]"

    def taken(at: LayerOutput, call: LayerCall) -> str:
        whole = replace(at, port=0)
        if whole not in names:
            raise WeightsError(f"layer {call.layer!r}, {_article(call.kind)}, takes what is no result of a layer")
        return result(at)

    masks = _masks_alone(calls)
    for call in calls.calls:
        if (call.layer, call.turn) in masks:
            continue
        try:
            parts = parts_of(call)
        except UnsaidLayer as error:
            raise _refused(call, error) from None
        operands = [taken(at, call) for at in call.operands]
        if not operands:
            raise WeightsError(f"layer {call.layer!r}, {_article(call.kind)}, takes what is no result of a layer")
        made: list[str] = []
        for part in parts:
            made.append(
                draft.add(
                    _for_each(part.step, call.each), [operands[k] if k >= 0 else made[-1 - k] for k in part.taken], call
                )
            )
        own = LayerOutput(call.layer, call.turn)
        names[own] = made[-1]
        if (words := results_of(parts[-1].step)) is not None:
            bundles[own] = words
    for end, said in zip(calls.outputs, calls.output_names, strict=True):
        draft.output(said, result(end))
    try:
        graph = draft.graph()
    except RefusedSteps as error:
        origin, found = error.found[0]
        if origin is not None:
            raise _refused(origin, found.message) from None
        raise WeightsError(found.message) from None
    _check_axes(graph, draft)
    return _with_shared(graph, draft)


def _for_each(step: Step, times: int) -> Step:
    """A step that is done so often for every item: of items, of items of items."""
    for turn in range(times):
        step = {**step, "each": "items"} if not turn else {"do": [step], "each": "items"}
    return step


def _masks_alone(calls: Calls) -> set[tuple[str, int]]:
    """Calls whose results are masks of steps and nothing else: Keras writes down what marks padding, which follows from
    the layers here."""
    used = {(at.layer, at.turn) for call in calls.calls for at in call.operands}
    used |= {(at.layer, at.turn) for at in calls.outputs}
    given = {(at.layer, at.turn) for call in calls.calls for at in call.taken}
    masks, ends = given - used, {(at.layer, at.turn) for at in calls.outputs}
    given -= ends
    while True:
        before = len(masks)
        for call in calls.calls:
            takers = {(c.layer, c.turn) for c in calls.calls if (call.layer, call.turn) in _places(c)}
            if (call.layer, call.turn) in given and takers <= masks:
                masks.add((call.layer, call.turn))
        if len(masks) == before:
            return masks


def _places(call: LayerCall) -> set[tuple[str, int]]:
    return {(at.layer, at.turn) for at in call.operands}


def _with_shared(graph: Graph, draft: Draft[LayerCall]) -> Graph:
    """The graph with the nodes that calls of one layer are as nodes of one layer. Raises WeightsError where these do
    not compute the same."""
    first: dict[tuple[str, int], str] = {}
    counts = Counter[tuple[str, int]]()
    nodes = []
    for node in graph.nodes:
        call = draft.origin(node.name)
        place = counts[call.layer, call.turn]
        counts[call.layer, call.turn] += 1
        nodes.append(replace(node, layer=first.setdefault((call.layer, place), node.layer)) if node.weights else node)
    shared = replace(graph, nodes=tuple(nodes))
    try:
        networks_of(shared)
    except SharedOtherwise as error:
        why = "its calls share weights, and do not compute the same"
        raise _refused(draft.origin(error.layer), why) from None
    return shared


def _check_axes(graph: Graph, draft: Draft[LayerCall]) -> None:
    """Raises WeightsError where a layer normalises along another axis than the last, which shapes do not tell."""
    for node in graph.nodes:
        call = draft.origin(node.name)
        axis = call.config.get("axis")
        if not call.kind.endswith("Normalization") or axis is None or call.kind == "UnitNormalization":
            continue
        axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        if axes not in ([-1], [node.input_specs[0].rank]):
            raise _refused(call, f"it normalises along axis {axis!r}, an op of a spec along the last")


def _refused(call: LayerCall, why: object) -> WeightsError:
    return WeightsError(f"layer {call.layer!r}, {_article(call.kind)}: {why}")


def _article(kind: str) -> str:
    return f"{'an' if kind.startswith((*'AEIOU', 'LSTM')) else 'a'} {kind}"
