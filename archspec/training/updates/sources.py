"""Which part of an example goes into each input of a training graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.data.example import CORNERS, IMAGE, LABEL, POSITION, Example
from archspec.data.features.labels import Labels
from archspec.data.features.object_masks import ObjectMasks
from archspec.data.objects import AREAS, BOXES, CLASSES, IGNORED, MASKS, PLACES
from archspec.ir.graph import Training
from archspec.ir.tensors import TensorSpec
from archspec.ir.training import ObjectsInput
from archspec.training.errors import TaskError

PARTS = {"boxes": BOXES, "classes": CLASSES, "valid": CLASSES, "ignored": CLASSES, "masks": MASKS, "places": PLACES}
"""The part of the data that a tensor of an input of objects is made of."""


def arrays(plan: Training) -> dict[str, TensorSpec]:
    """The inputs that are arrays of the data."""
    return {name: spec for name, spec in plan.body.inputs.items() if name not in plan.drawn}


def named(plan: Training, parts: Mapping[str, Any]) -> dict[str, str]:
    """The part of the data, or of a batch, for every input of the step that the data give."""
    of_objects = [name for name in arrays(plan) if name.rpartition(".")[0] in plan.objects]
    wanted = [name for name in arrays(plan) if name not in plan.targets and name not in of_objects]
    found = {name: name for name in wanted if name in parts}
    own = {name: PARTS[name.rpartition(".")[2]] for name in of_objects}
    taken = {LABEL, *POSITION, CORNERS, *found, *((BOXES, CLASSES, IGNORED, AREAS, MASKS, PLACES) if own else ())}
    free = [name for name in parts if name not in taken]
    rest = [name for name in wanted if name not in found]
    if len(rest) == 1 and (len(wanted) == 1 or plan.is_of_one) and (IMAGE in free or len(free) == 1):
        found[rest[0]] = IMAGE if IMAGE in free else free[0]
    for name, drawn in plan.drawn.items():
        if drawn.kind == "label" and LABEL in parts:
            found[name] = LABEL
    for name, head in plan.targets.items():
        if head in parts or LABEL in parts:
            found[name] = head if head in parts else LABEL
    return found | {name: part for name, part in own.items() if part in parts}


def given(plan: Training, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What the step is given of a batch, within tf.data."""
    out = {}
    for name, part in named(plan, batch).items():
        owner, _, port = name.rpartition(".")
        objects = plan.objects.get(owner)
        out[name] = batch[part] if objects is None else _port(batch, port, objects)
    return out


def _port(batch: Mapping[str, Any], port: str, objects: ObjectsInput) -> Any:
    """A tensor of the objects of pictures, filled up to as many as the input has."""
    import tensorflow as tf

    most = objects.most
    if port == MASKS:
        value, wanted = batch[MASKS], objects.ports()[MASKS].shape
        return tf.pad(value, [[0, 0], *([0, n - have] for n, have in zip(wanted, value.shape[1:], strict=True))])

    if port in ("valid", "ignored"):
        is_ignored = batch[IGNORED] == 1 if IGNORED in batch else tf.zeros_like(batch[CLASSES], tf.bool)
        value = (batch[CLASSES] >= 0) & (is_ignored if port == "ignored" else ~is_ignored)
    else:
        value = batch[PARTS[port]]
    lacking = [[0, 0], [0, most - value.shape[1]], *[[0, 0]] * (value.shape.rank - 2)]
    return tf.pad(value, lacking, constant_values=tf.cast(-1 if port in (CLASSES, PLACES) else 0, value.dtype))


def check_objects(name: str, objects: ObjectsInput, features: Example, at: tuple[str, ...]) -> None:
    """Refuse data with other classes, or with more objects in a picture, than an input of objects has, or without its
    masks; ``at`` is where the run file says what is done to images."""
    boxes, kinds = features.features.get(BOXES), features.features.get(CLASSES)
    if boxes is None or not isinstance(kinds, Labels):
        held = ", ".join(features.parts)
        help = "data: {voc: …}, {coco: …} and {yolo: …} have objects"
        raise TaskError(f"'{name}' is objects, the data have {held}", at=("data",), help=help)
    most = boxes.spec.shape[0]
    if most is None or most > objects.most:
        message = f"pictures have up to {most} objects, '{name}' takes {objects.most}"
        help = f"most: {most} in the spec; or most: {objects.most} in the data, whose largest then stay"
        raise TaskError(message, at=("data",), help=help)
    if kinds.classes != objects.classes:
        message = f"the data have {kinds.classes} classes of objects, '{name}' has {objects.classes}"
        raise TaskError(
            message,
            at=("data",),
            help=f"--set {objects.parameter}={kinds.classes}"
            if objects.parameter
            else f"objects: {kinds.classes} in the spec",
        )
    _check_masks(name, objects, features, at)


def _check_masks(name: str, objects: ObjectsInput, features: Example, at: tuple[str, ...]) -> None:
    """Refuse data without masks of objects, or with those of other images, where an input of objects has masks."""
    if objects.masks is None:
        return
    masks = features.features.get(MASKS)
    if not isinstance(masks, ObjectMasks):
        help = "masks: true in the data, for coco and scenes" if BOXES in features.features else None
        raise TaskError(f"'{name}' has masks of objects, the data have none", at=("data",), help=help)
    if masks.size != objects.masks:
        (height, width), wanted = masks.size, objects.masks
        given = "?" if height is None or width is None else f"{height}×{width}"
        message = f"'{name}' has masks of images of {wanted[0]}×{wanted[1]}, the data give {given} (height first)"
        raise TaskError(message, at=at, help=f"put {{resize: [{wanted[0]}, {wanted[1]}]}} first in augment")
    channels = objects.ports()[MASKS].channels or 0
    if masks.channels > channels:
        # Every picture of a mosaic has its own channels, of eight masks each.
        message = f"masks of pictures take up to {8 * masks.channels} places, '{name}' has {8 * channels}"
        raise TaskError(message, at=("spec",), help=f"most: {8 * masks.channels}")


def sources(plan: Training, features: Example) -> dict[str, str]:
    """The same, all there but for objects, which ``check_objects`` is about. Raises TaskError."""
    found = named(plan, features.parts)
    labels = {name for name, drawn in plan.drawn.items() if drawn.kind == "label"}
    for name in (*arrays(plan), *labels):
        if name not in found and name.rpartition(".")[0] not in plan.objects:
            who = f"head '{plan.targets[name]}' is compared with a label" if name in plan.targets else None
            who = who or f"the {'network is' if plan.is_of_one else 'networks are'} trained on '{name}'"
            help = f"name the input after one of these, or use data that have '{name}' (unpaired has a and b)"
            raise TaskError(f"{who}, the data have {', '.join(features.parts)}", at=("data",), help=help)
    return found


def check_part(name: str, wanted: TensorSpec, given: TensorSpec, at: tuple[str, ...]) -> None:
    """Refuse a part of the data that is not what an input takes."""
    fits = given.rank == wanted.rank and all(
        w is None or w == g for w, g in zip(wanted.shape, given.shape, strict=True)
    )
    if not fits or None in given.shape:
        help = None
        if wanted.rank == given.rank == 3 and None not in wanted.spatial and wanted.channels == given.channels:
            help = f"put {{resize: [{wanted.spatial[0]}, {wanted.spatial[1]}]}} first in augment"
        raise TaskError(f"'{name}' is to be {wanted}, the data give {given}", at=at, help=help)
    if ("float" in wanted.dtype) != ("float" in given.dtype):
        mend = "rescale: {low: -1} in augment: 0 … 255 becomes -1 … 1" if "float" in wanted.dtype else None
        raise TaskError(f"'{name}' is {wanted.dtype}, the data give {given.dtype}", at=at, help=mend)
