"""What goes into a network with one kind of outputs: which parts of an example, and how they are brought to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from archspec.data.arguments import written
from archspec.data.errors import DataError
from archspec.data.example import IMAGE, LABEL, POSITION, Example, input_of
from archspec.data.features.image import Image
from archspec.data.pair import SOURCE, TARGET
from archspec.data.transform import Transform, infer
from archspec.data.transforms.geometry import Resize
from archspec.data.transforms.intensity import Rescale
from archspec.data.transforms.parts import Apply
from archspec.ir.diagnostics import plain
from archspec.ir.graph import Graph, Output
from archspec.ir.tensors import TensorSpec
from archspec.training.errors import TaskError, faults
from archspec.training.vocabulary import check_sequence, check_vocabulary


def only_input(graph: Graph, task: str) -> tuple[str, TensorSpec]:
    """The input of a network that has one, by its name. Raises TaskError with what trains others."""
    refuse_networks(graph, task)
    if len(graph.inputs) != 1:
        if set(graph.inputs) == {SOURCE, TARGET}:
            help = f"task: sequence_to_sequence trains a network that takes {SOURCE} and {TARGET}"
        else:
            help = "classification, regression and multitask train networks of several inputs"
        has = f"has {len(graph.inputs)}: {', '.join(graph.inputs)}" if graph.inputs else "has none"
        raise TaskError(f"{task} trains a network with one input, '{graph.name}' {has}", at=("spec",), help=help)
    return next(iter(graph.inputs.items()))


def only_head(graph: Graph, task: str) -> Output:
    """The head of a network that has one. Raises TaskError with what trains others."""
    refuse_networks(graph, task)
    heads = [output for output in graph.outputs if not output.train_only]
    if len(graph.outputs) != 1 or not heads:
        has = ", ".join(output.name + " (train_only)" * output.train_only for output in graph.outputs)
        raise TaskError(
            f"{task} trains a network with one head, '{graph.name}' has {len(graph.outputs)}: {has}",
            at=("spec",),
            help="task: multitask trains several heads, each with a task and a target of its own",
        )
    return heads[0]


def refuse_networks(graph: Graph, task: str) -> None:
    """Refuse a spec that says itself how its networks are trained. Raises TaskError."""
    if graph.training and not graph.networks:
        message = f"'{graph.name}' defines its loss in its train section, {task} has a loss of its own"
        raise TaskError(message, at=("spec",), help="task: training_graph, or leave task out")
    if graph.training:
        raise TaskError(
            f"{task} trains one network, '{graph.name}' defines in its train section how several are trained",
            at=("spec",),
            help="task: adversarial, or leave task out",
        )


def named_inputs(graph: Graph, parts: Collection[str]) -> dict[str, str]:
    """The part of an example, or of a batch, that goes into each input of a network: that of its name, or, into a
    single input, the one part that is no label. Raises TaskError."""
    if len(graph.inputs) == 1 and not set(graph.inputs) <= set(parts):
        try:
            return {next(iter(graph.inputs)): input_of(parts)}
        except DataError as error:
            raise TaskError(error.message, at=("data",)) from None
    if missing := [name for name in graph.inputs if name not in parts]:
        help = "of several inputs each takes the part of an example that has its name"
        if set(graph.inputs) == {SOURCE, TARGET}:
            help = f"task: sequence_to_sequence trains a network that takes {SOURCE} and {TARGET}"
        raise TaskError(f"the network takes '{missing[0]}', the data have {', '.join(parts)}", at=("data",), help=help)
    return {name: name for name in graph.inputs}


def taken(inputs: Mapping[str, str]) -> Callable[[Mapping[str, Any]], Any]:
    """What a model is given of a batch: a dict by input, or of a single one what goes there."""
    if len(inputs) == 1:
        (part,) = inputs.values()
        return lambda batch: batch[part]
    return lambda batch: {name: batch[part] for name, part in inputs.items()}


def taken_of(graph: Graph) -> Callable[[Mapping[str, Any]], Any]:
    """What a model of the graph is given of a batch that has one label, or none, beside what is read."""
    return lambda batch: taken(named_inputs(graph, [name for name in batch if name not in (LABEL, *POSITION)]))(batch)


def usual_steps(wanted: TensorSpec, image: TensorSpec) -> tuple[Any, ...]:
    """Transforms that bring images to the network's size and, where they are 8-bit and it takes floats, to 0 … 1."""
    steps: list[Any] = []
    if None not in wanted.spatial and len(wanted.spatial) == 2 and image.spatial != wanted.spatial:
        steps.append(Resize(size=wanted.spatial))  # type: ignore[arg-type]
    if "float" in wanted.dtype and image.dtype == "uint8":
        steps.append(Rescale())
    return tuple(steps)


def usual_augment(graph: Graph, features: Example) -> Mapping[str, Any]:
    """``Task.defaults`` for networks that read images: ``usual_steps`` of each that goes into an input."""
    steps: list[Any] = []
    with suppress(TaskError):
        for name, part in _readable(graph, features).items():
            if isinstance(features.features[part], Image):
                made = usual_steps(graph.inputs[name], features.parts[part])
                steps += made if part == IMAGE else [Apply(to=(part,), steps=made)] if made else []
    return {"augment": tuple(steps)} if steps else {}


def _readable(graph: Graph, features: Example) -> dict[str, str]:
    return named_inputs(graph, [name for name in features.features if name != LABEL])


def input_faults(graph: Graph, training: Example, evaluation: Example) -> Iterator[TaskError]:
    """Inputs that no part of the examples goes into, and parts that they do not take."""
    yield from (found := list(faults(lambda: _readable(graph, training))))
    for features, at in () if found else ((training, ("augment",)), (evaluation, ("evaluate", "transforms"))):
        for name, part in _readable(graph, training).items():
            if part == IMAGE or isinstance(features.features[part], Image):
                yield from faults(partial(check_image, graph.inputs[name], features.parts[part], at, part))
            else:
                yield from faults(
                    partial(check_sequence, graph.inputs[name], features, part),
                    partial(check_vocabulary, graph, name, features, part),
                )


class WrongSize(TaskError):
    """Images have another size than the network takes, which is ``size``, as ``resize`` takes it."""

    size: Any = None


def sized(error: WrongSize, raw: Example, steps: Sequence[Transform]) -> None:
    """Let an error say which of the steps that were written gives images their size, and what it should be."""
    made = infer(raw, steps)
    at = next((k for k in reversed(range(len(steps))) if made[k].image.spatial != made[k + 1].image.spatial), None)
    if at is None:
        return
    error.at = (*error.at, at)
    error.help = f"put {{resize: {plain(error.size)}}} behind it"
    step, size = steps[at], error.size if isinstance(error.size, list) else [error.size, error.size]
    if "size" in type(step).model_fields:
        changed = step.model_copy(update={"size": tuple(size)})
        with suppress(DataError):
            if infer(raw, (*steps[:at], changed, *steps[at + 1 :]))[-1].image.spatial == tuple(size):
                short = written(step.model_copy(update={"size": error.size}))
                error.help = f"change it to {plain(short)}"


def check_image(wanted: TensorSpec, image: TensorSpec, at: tuple[str, ...], part: str = IMAGE) -> None:
    """Refuse images that the network does not take, with the transform that would mend it."""
    images = "images" if part == IMAGE else f"images '{part}'"
    fits = image.rank == wanted.rank and all(
        w is None or w == i for w, i in zip(wanted.shape, image.shape, strict=True)
    )
    if not fits:
        sizes = wanted.spatial
        mend, asked = None, None
        if image.rank == wanted.rank == 3:
            if image.channels != wanted.channels:
                at = ("data",)
                mend = f"the network takes {wanted.channels} channels: set the data's channels, or the spec's input"
            elif None not in sizes:
                asked = sizes[0] if sizes[0] == sizes[1] else list(sizes)
                mend = f"put {_step(part, f'resize: {plain(asked)}')} first in augment"
        message = f"the network takes {images} {wanted}, the data give {image}"
        if image.rank != wanted.rank:
            message = f"the network takes {wanted.dtype} {wanted}, the data give {images} {image}"
        if asked is not None and part == IMAGE:
            wrong = WrongSize(message, at=at, help=mend)
            wrong.size = asked
            raise wrong
        raise TaskError(message, at=at, help=mend)
    if None in image.shape:
        help = f"put {_step(part, 'resize: 224')} first in augment"
        raise TaskError(f"{images} differ in size: {image}", at=at, help=help)
    if ("float" in wanted.dtype) != ("float" in image.dtype):
        rescale = "rescale" if part == IMAGE else _step(part, "rescale")
        mend = f"add {rescale} to augment: 0 … 255 becomes 0 … 1" if "float" in wanted.dtype else None
        takes = wanted.dtype if part == IMAGE else f"{wanted.dtype} for '{part}'"
        raise TaskError(f"the network takes {takes}, the data give {image.dtype}", at=at, help=mend)


def _step(part: str, step: str) -> str:
    """A transform of a part as a run file has it."""
    return f"{{{step}}}" if part == IMAGE else f"{{apply: {{to: {part}, steps: [{step}]}}}}"
