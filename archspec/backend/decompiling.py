"""Keras models → specs: calls of layers become steps, which ``archspec.writing`` brings into a readable form.

Of a file its config alone is read, which is JSON: nothing that it names is made, imported or run.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.backend.archive import ZIP_FAULTS, WeightsError, bundled_config
from archspec.backend.importers import keras_calls
from archspec.backend.importers.keras_calls import Calls, LayerCall, LayerOutput
from archspec.backend.importers.keras_steps import UnsaidLayer, step_of
from archspec.ir.graph import Graph
from archspec.writing import Unwritable, spec_text
from archspec.writing.draft import Draft, RefusedSteps

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
    try:
        return _of_config(config, path.stem)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None


def of_model(model: keras.Model) -> str:
    """The spec of a functional or sequential model in memory. Raises WeightsError with the name of a layer that no
    spec says."""
    return _of_config(model.get_config(), model.name)


def _of_config(config: Any, name: str) -> str:
    try:
        calls = keras_calls.of_model(config, "")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise WeightsError("its config is not that of a Keras model") from None
    if calls is None:
        raise WeightsError("the model is neither functional nor sequential: its wiring is not known")
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
    for call in calls.calls:
        try:
            step = step_of(call)
        except UnsaidLayer as error:
            raise _refused(call, error) from None
        taken = [
            names.get(LayerOutput(at.layer, at.turn), "") + (f"[{at.port}]" if at.port else "") for at in call.operands
        ]
        if not taken or "" in taken:
            raise WeightsError(f"layer {call.layer!r}, {_article(call.kind)}, takes what is no result of a layer")
        names[LayerOutput(call.layer, call.turn)] = draft.add(step, taken, call)
    for end, said in zip(calls.outputs, calls.output_names, strict=True):
        draft.output(said, names[LayerOutput(end.layer, end.turn)] + (f"[{end.port}]" if end.port else ""))
    try:
        graph = draft.graph()
    except RefusedSteps as error:
        origin, found = error.found[0]
        if origin is not None:
            raise _refused(origin, found.message) from None
        raise WeightsError(found.message) from None
    _check_shared(graph, calls)
    _check_axes(graph, calls)
    return graph


def _check_shared(graph: Graph, calls: Calls) -> None:
    """Raises WeightsError where a layer that has weights is called several times."""
    seen: set[str] = set()
    for k, call in enumerate(calls.calls):
        node = graph.by_name.get(f"n{k}")
        if call.layer in seen and node is not None and node.weights:
            raise WeightsError(f"layer {call.layer!r} is called several times: its weights are shared")
        seen.add(call.layer)


def _check_axes(graph: Graph, calls: Calls) -> None:
    """Raises WeightsError where a layer normalises along another axis than the last, which shapes do not tell."""
    for k, call in enumerate(calls.calls):
        axis, node = call.config.get("axis"), graph.by_name.get(f"n{k}")
        if node is None or not call.kind.endswith("Normalization") or axis is None:
            continue
        axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
        if axes not in ([-1], [node.input_specs[0].rank]):
            raise _refused(call, f"it normalises along axis {axis!r}, an op of a spec along the last")


def _refused(call: LayerCall, why: object) -> WeightsError:
    return WeightsError(f"layer {call.layer!r}, {_article(call.kind)}: {why}")


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOU' else 'a'} {kind}"
