"""Factors of examples by their class: a list, a map by names or numbers of classes, or ``balanced``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from archspec.data.class_weights import ClassWeightError, class_factors
from archspec.data.sampler import UnknownLabels, training_labels
from archspec.training.errors import TaskError
from archspec.training.plan import Plan

AT = ("train", "class_weight")


def class_weights(plan: Plan) -> dict[int, float]:
    """Factor by the number of a class; nothing where examples count alike. Raises TaskError, DataError."""
    said, features = plan.spec.train.class_weight, plan.features
    if not said:
        return {}
    if len(plan.graph.outputs) > 1:
        raise TaskError("class weights need a network with one head", at=AT)
    try:
        factors = class_factors(said, features, lambda: Counter(training_labels(plan.source)), AT[-1])
    except ClassWeightError as error:
        at = AT if error.name is None else (*AT, error.name)
        raise TaskError(error.message, at=at, help=error.help) from None
    except UnknownLabels as error:
        help = "give the factors: a list, or a map by names of classes"
        raise TaskError(error.message, at=AT, help=help) from None
    if 0 in factors.values() and not any(factors.get(k) for k in _present(plan, factors)):
        help = "a factor above 0 for some class that occurs, or leave it out"
        raise TaskError("all training examples have the weight 0: nothing would be learnt", at=AT, help=help)
    if 0 in factors.values() and not any(factors.get(k) for k in _drawn(plan, factors)):
        help = "one of the two is enough: leave class_weight out, or give a class that is drawn a factor above 0"
        raise TaskError(
            "every class that the sampler draws has the weight 0: nothing would be learnt", at=AT, help=help
        )
    return factors


def _drawn(plan: Plan, factors: dict[int, float]) -> set[int]:
    """The classes that training examples have and that the run's sampler does not leave out."""
    present, sampler = set(_present(plan, factors)), plan.pipeline.sampler
    return present if sampler is None else present - sampler.leaves_out(plan.pipeline.keys())


def _present(plan: Plan, factors: dict[int, float]) -> Iterable[int]:
    """The classes that training examples have; where that is not known before these are read, all."""
    if not any(factors.values()):
        return factors
    try:
        return set(training_labels(plan.source))
    except UnknownLabels:
        return factors
