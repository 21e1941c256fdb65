"""Trained networks evaluated: what the task's evaluators say of one, or of the mean of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.runs.directory import recorded
from archspec.runs.notation import FLAGS, Notation

if TYPE_CHECKING:
    from archspec.evaluators.base import Assessment
    from archspec.runs.other_data import Data
    from archspec.training.looking import Looking
    from archspec.training.plan import Plan


TOOLS = ("ultralytics",)
"""Programs whose figures of objects, by their own definitions, can be added."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out of an evaluation. ``data`` says what was evaluated in a line, ``looking`` how images were looked at
    (None where a task has but one way); ``str`` of it is its text."""

    logdirs: tuple[Path, ...]
    split: str
    data: str
    looking: Looking | None
    assessments: tuple[Assessment, ...]

    @property
    def figures(self) -> dict[str, float]:
        """All figures by their names."""
        return {name: value for one in self.assessments for name, value in one.figures.items()}

    def text(self) -> str:
        """For a terminal."""
        return "\n\n".join(one.text() for one in self.assessments)

    def record(self) -> dict[str, Any]:
        """For JSON: plain values."""
        out: dict[str, Any] = {"run": str(self.logdirs[0]), "split": self.split}
        if self.looking is not None:
            out = {"runs": [str(d) for d in self.logdirs], "split": self.split, "views": self.looking.views}
            out |= {"scales": list(self.looking.scales), "dense": self.looking.dense}
            if self.looking.crf is not None:
                out["crf"] = self.looking.crf.numbers
        for one in self.assessments:
            out |= one.record()
        return out

    def __str__(self) -> str:
        return self.text()


def evaluate(
    logdirs: Sequence[Path],
    looking: Looking,
    *,
    data: Data | None = None,
    split: str | None = None,
    batch: int | None = None,
    best: bool = False,
    results: Path | None = None,
    tool: str | None = None,
    notation: Notation = FLAGS,
) -> Evaluation:
    """Evaluate the networks of run directories, several as an ensemble. ``results`` is where COCO results of the
    objects found are written, ``tool`` another program whose figures of objects are wanted, too, and ``notation`` how
    errors call all of these.

    Raises RunError for what does not go with the networks or each other, SpecError, WeightsError, DataError, OSError.
    """
    from archspec.data.example import IMAGE
    from archspec.evaluators import ultralytics
    from archspec.evaluators.base import Figures
    from archspec.evaluators.detection import DetectionAssessment
    from archspec.ir.diagnostics import advised
    from archspec.runs.coco_results import write_results
    from archspec.training import evaluation
    from archspec.training.errors import RunError, TaskError
    from archspec.training.trained import weights_file

    if results is not None and (results.is_dir() or not results.absolute().parent.is_dir()):
        # An evaluation may take hours, whose figures would be lost.
        raise RunError(f"{notation.name('results')}: {results} cannot be written: it is a folder, or lies in none")
    files = [weights_file(logdir, best=best) for logdir in logdirs]
    plans = [recorded(logdir, data=data, split=split, batch=batch, notation=notation).plan() for logdir in logdirs]
    first = plans[0]
    for plan, logdir in zip(plans, logdirs, strict=True):
        _compare_classes(plan, logdir, notation)
    if first.split is None:
        raise RunError("the data have no split that was held out; choose one with " + notation.name("split"))
    for option, is_asked in (
        ("results", results is not None),
        ("as" if notation is FLAGS else "tool", tool is not None),
    ):
        if is_asked and not first.task.tells_objects:
            raise RunError(f"{notation.name(option)} is for objects, and {first.task.name} finds none")
    asked = ["views"] * (looking.views != "single") + ["scales"] * bool(looking.scales) + ["dense"] * looking.dense
    if looking.crf is not None and not first.task.tells_pixels:
        raise RunError(f"{notation.name('crf')} is for classes of pixels, and {first.task.name} tells none")
    if asked and IMAGE not in first.features.parts:
        raise RunError(f"{notation.name(asked[0])} is for images")
    for plan, logdir in zip(plans, logdirs, strict=True):
        if plan.features.classes != first.features.classes or _data(plan) != _data(first):
            raise RunError(f"{logdir} was trained on other data than {logdirs[0]}; give {notation.name('data')}")
        tells, wanted = plan.task.answers(plan.graph), first.task.answers(first.graph)
        if tells != wanted:
            said = f"{logdir} predicts {', '.join(sorted(tells - wanted) or tells)}"
            raise RunError(
                f"{said}, {logdirs[0]} predicts {', '.join(sorted(wanted - tells) or wanted)}, which cannot be averaged"
            )
    try:
        found = evaluation.evaluate(plans, files, looking)
    except TaskError as error:
        raise RunError(advised(error.message, error.help)) from None
    of_objects = next((one for one in found if isinstance(one, DetectionAssessment)), None)
    if results is not None and of_objects is not None:
        write_results(results, first, of_objects.said)
    if tool is not None and of_objects is not None:
        theirs = Figures(of_objects.examples, ultralytics.figures(*of_objects.compared), ultralytics.MEANING)
        found = (*found, theirs)
    looked = looking if first.task.is_averaged or not looking.is_plain else None
    told = f", {_told(looking)}" if looked and IMAGE in first.features.parts else ""
    return Evaluation(tuple(logdirs), first.split, _described(first) + told, looked, found)


def _compare_classes(plan: Plan, logdir: Path, notation: Notation) -> None:
    """Raises RunError where the classes of the data were others, or in another order, when the network was trained."""
    from archspec.data.given import class_names
    from archspec.ir.diagnostics import shown
    from archspec.training.errors import RunError
    from archspec.training.record import recorded_features

    now = dict(class_names(plan.features))
    for target, names in class_names(recorded_features(logdir)):
        if names and now.get(target) and now[target] != names:
            was, are = (shown(", ".join(some), 200)[1:-1] for some in (names, now[target]))
            raise RunError(
                f"{logdir}: the classes of the data were {was} when it was trained, and are {are}; "
                f"{notation.name('data')} compares classes by name"
            )


def _told(looking: Looking) -> str:
    scales = f" at {', '.join(map(str, looking.scales))}" if looking.scales else ""
    crf = f", dense CRF of {looking.crf.iterations} iterations" if looking.crf else ""
    return f"{looking.views} view{scales}{', dense' if looking.dense else ''}{crf}"


def _described(plan: Plan) -> str:
    """What is evaluated: the split, which others there are, and how many of it cannot be read."""
    splits, split = plan.features.splits, plan.split
    assert split is not None
    others = [f"{name} {count:,}" for name, count in splits.items() if name not in (split, "all")]
    rest = f" (besides {', '.join(others)})" if others and split != "all" else ""
    left_out = splits[split] - plan.pipeline.count(split)
    bad = f"; {left_out} of {splits[split]} cannot be read and are left out" if left_out else ""
    return f"{split} of {plan.source.name}{rest}{bad}"


def _data(plan: Plan) -> Any:
    """The source, whatever vocabularies its text is counted in."""
    return plan.source.with_vocabularies(dict.fromkeys(plan.features.vocabularies, Path()))
