"""Factors of examples by their class: a list, a map by names of classes, or ``balanced``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from archspec.data.source import TRAIN, DataSource
from archspec.ir.diagnostics import did_you_mean, shown
from archspec.training.errors import TaskError
from archspec.training.fields import BALANCED
from archspec.training.plan import Plan

if TYPE_CHECKING:
    from archspec.data.files import InFiles

AT = ("train", "class_weight")


def class_weights(plan: Plan) -> dict[int, float]:
    """Factor by the number of a class; nothing where examples count alike. Raises TaskError, DataError."""
    said, features = plan.spec.train.class_weight, plan.features
    if not said:
        return {}
    if len(plan.graph.outputs) > 1:
        raise TaskError("class weights need a network with one head", at=AT)
    classes = features.classes or 0
    if said == BALANCED:
        counts = _counts(plan.source)
        present = sum(1 for n in counts.values() if n)
        return {k: sum(counts.values()) / (present * counts[k]) if counts[k] else 1.0 for k in range(classes)}
    if isinstance(said, Mapping):
        names = _names(features.class_names, classes)
        for name in said:
            if name not in names:
                known = f"classes are {', '.join(names[:4])}{', …' if len(names) > 4 else ''}"
                raise TaskError(
                    f"the data have no class {shown(name)}", at=(*AT, name), help=did_you_mean(name, names) or known
                )
        return {k: float(said.get(name, 1.0)) for k, name in enumerate(names)}
    if len(said) != classes:
        raise TaskError(f"class_weight has {len(said)} values, the data have {classes} classes", at=AT)
    return dict(enumerate(said))


def _names(names: Sequence[str], classes: int) -> list[str]:
    return list(names) if names else [str(k) for k in range(classes)]


def _counts(source: DataSource) -> Counter[int]:
    """Training examples of each class. Raises TaskError, DataError."""
    if source.is_encoded and (listing := cast("InFiles", source).listing()).class_names:
        return Counter(entry.label for entry in listing.splits[TRAIN])
    if source.in_memory and (labels := source.class_labels(TRAIN)) is not None and labels.ndim == 1:
        return Counter(labels.tolist())
    raise TaskError(
        f"the examples of '{source.name}' cannot be counted by class before they are read",
        at=AT,
        help="give the factors: a list, or a map by names of classes",
    )
