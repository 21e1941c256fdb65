"""What to write in place of what a run file says wrongly: text that can be copied, with the person's own values.

Whatever is shown is read first, by the readers of run files; what they would refuse is not shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from math import ceil, isfinite
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from archspec.data.source import DataSource, known_data_set
from archspec.data.transform import Transform
from archspec.ir.aliases import alias, same
from archspec.ir.declaration import Declaration
from archspec.ir.diagnostics import did_you_mean, plain
from archspec.ir.reading import translated
from archspec.ops.loss import Loss
from archspec.training.data_hints import path_of, source_at
from archspec.training.optimizers import Optimizer
from archspec.training.rate_hints import NEEDED, rate_help
from archspec.training.schedules import Schedule
from archspec.training.section_hints import as_written, section_form

Sections = Mapping[str, type[BaseModel]]
"""The models of a run file's sections by name; ``""`` is the file's own."""
DECLARED: dict[str, tuple[type[Declaration], str]] = {
    "optimizer": (Optimizer, "optimizer"),
    "schedule": (Schedule, "schedule"),
    "loss": (Loss, "loss"),
}
"""Settings that are declarations: their kind, and the word for it."""
CLIPS = {"clipnorm": "norm", "clipvalue": "value"}
"""What Keras calls limits of gradients other than of all together, without what divides words."""
INSTEAD: dict[str, Any] = {
    "weights": "weights.npz",
    "schedule": "cosine",
    "ema": 0.999,
    "average_last": 5,
    "clip": {"global_norm": 1.0},
    "class_weight": "balanced",
}
"""What is shown of a setting where the person's value is none that it takes."""
SENTENCES = {
    "warmup": "warmup is in epochs, of which it may be a part: warmup: 5",
    "freeze": "names of layers, or patterns: freeze: [conv*]",
}
"""What is said in place of a value."""


class Hints:
    """Of one run file: its values, the models of its sections, and the folder that its paths count from."""

    def __init__(self, tree: Mapping[str, Any], sections: Sections, folder: Path) -> None:
        self.tree, self.sections, self.folder = tree, sections, folder

    def for_key(self, path: tuple[Any, ...]) -> str | None:
        """Where a key belongs that is unknown where it stands, or what it is called."""
        *above, key = path
        own = ".".join(map(str, above))
        if own not in self.sections:
            return None
        at: Any = self.tree
        for part in above:
            at = at[part]
        value, known = at[key], self.sections[own].model_fields
        first, _, rest = str(key).partition(" ")
        if value is None and rest and first in known:
            return f"a colon stands between key and value: {first}: {rest.strip()}"
        # What is said of a key where it stands comes before another section that has a key of its name.
        is_told = alias(f"{own or 'run'} key", key) is not None
        for section in (own,) if is_told else dict.fromkeys((own, "train", "", "evaluate", "log")):
            if "." not in section and (found := self._setting(section, str(key), value)):
                return self._said(own, section, found)
        if same("parameter", key, ("learning_rate",)) and (said := rate_help(value, self._optimizer)):
            return said
        if found := self._of_optimizer(str(key), value):
            return f"it belongs to the optimizer: {as_written(found if own == 'train' else {'train': found})}"
        if (name := same("transform", key, Transform.names())) is not None:
            step = translated(Transform, {name: value}, "transform", self._context) or name
            return f"it is a step of augment: augment: [{step}]"
        here = alias(f"{own or 'run'} key", key)
        return here or did_you_mean(key, known) or alias("train key", key) or alias("run key", key)

    def for_keyword(self, key: str, value: object) -> str | None:
        """What a keyword in Python is called here, where settings of ``train`` are keywords of their own."""
        from archspec.frontend.open import plain

        found = self._setting("", key, value) or self._setting("train", key, value) or self._of_optimizer(key, value)
        if found is None:
            inner = ((name, self._setting(name, key, value)) for name in ("evaluate", "log"))
            found = next(({name: setting} for name, setting in inner if setting), None)
        return None if found is None else "write " + ", ".join(f"{k}={plain(v)!r}" for k, v in found.items())

    def for_value(self, path: tuple[Any, ...], value: object) -> str | None:
        """How a section or setting is written whose value is none that it takes."""
        section, key = (".".join(map(str, path[:-1])), path[-1]) if path else ("", "")
        if path == ("data",):
            return self._data(value)
        if path[:3] == ("train", "schedule", "step"):
            return f"schedule: {{milestones: {plain(value)}}}" if isinstance(value, list) else None
        if path[:2] == ("train", "optimizer") and len(path) > 2:
            kind = Optimizer.find(str(path[2]))
            return rate_help(value, kind.name) if kind and path[3:] in ((), (kind.main,)) else None
        if len(path) == 3 and path[0] == "data":
            return self._held_out(path, value)
        if path == ("spec",) and isinstance(value, dict):
            return f"a spec is a name or a file: spec: {value.get('variant') or value.get('name') or 'net.yaml'}"
        if path == ("variant",) and isinstance(value, int) and isinstance(self.tree.get("spec"), str):
            return self._variant(value)
        if path == ("archspec_run",):
            return "archspec_run: 1"
        if section == "" and key in ("train", "evaluate", "log"):
            return section_form(str(key), value)
        model = self.sections.get(section)
        if model is None or key not in model.model_fields:
            return None
        if key in ("augment", "transforms"):
            steps = _steps(value) if isinstance(value, dict) else [value]
            if isinstance(value, str) and "," in value:
                steps = [word.strip() for word in value.split(",")]
            if isinstance(value, bool):
                return "steps are a list: augment: [mirror, {rotate: 10}]" if value else f"leave it out, or {key}: []"
            shown = self._shown(model, {str(key): steps})
            if shown is None and isinstance(value, str) and "," in value:
                return f"steps are a list, each with what it needs: {key}: […, …]"
            return shown or f"steps are a list: {as_written({str(key): steps})}"
        if key == "set" and isinstance(value, list) and all(isinstance(one, dict) for one in value):
            return self._shown(model, {"set": {k: v for one in value for k, v in one.items()}})
        if key == "clip" and isinstance(value, (int, float)) and not isinstance(value, bool):
            return f"clip: {{global_norm: {value}}} or clip: {{norm: {value}}} or clip: {{value: {value}}}"
        if key in SENTENCES:
            return SENTENCES[key]
        if key == "weights" and isinstance(value, str) and value.isalpha():
            return "weights are a file, such as 'archspec weights import' writes out of those of others"
        if path == ("evaluate", "split") and isinstance(value, float):
            return f"evaluate: {{split: test}}; a share is held out by the data: holdout: {value:g}"
        if key == "schedule" and isinstance(value, list):
            return "schedule: {milestones: {at: [30, 60], by: 0.1}}"
        if key == "loss" and "crossentropy" in str(value).lower().replace("_", ""):
            return self._crossentropy()
        converted = _converted(str(key), str(key), value)
        if converted != value and (text := self._shown(model, {str(key): converted})):
            return text
        default = model.model_fields[key].default
        if key == "optimizer" and isinstance(value, dict):
            return self._of_no_name(value) or self._beside(value)
        if key in DECLARED:
            return None
        if isinstance(value, float) and isfinite(value) and (text := self._shown(model, {str(key): ceil(value)})):
            return text
        if key in INSTEAD or (isinstance(default, (int, float)) and not isinstance(value, (int, float))):
            return self._shown(model, {str(key): INSTEAD.get(str(key), default)})
        return None

    def _variant(self, number: int) -> str | None:
        """The member that a number is of: 50 is resnet50."""
        from archspec.frontend import catalogue
        from archspec.frontend.parameters import near_variant

        spec = str(self.tree["spec"])
        known = [entry["variant"] for entry in catalogue.entries() if entry["spec"] == spec and entry["variant"]]
        return near_variant(number, spec, known) if known else f'a name has quotes where it is a number: "{number}"'

    @property
    def _context(self) -> dict[str, Path]:
        return {"folder": self.folder}

    def _setting(self, section: str, key: str, value: object) -> dict[str, Any] | None:
        """A setting of a section that a key means, which may be another program's word, with a value that it takes."""
        fields = self.sections[section].model_fields
        ours = same(f"{section or 'run'} key", key, fields)
        if ours is None:
            return self._stopping(value) if section == "train" and "earlystop" in _letters(key) else None
        if ours in self.sections:
            return {ours: inner} if (inner := self._settings(ours, value)) else None
        if ours == "data":
            return {"data": value} if self._is_read("", {"data": value}) else self._source(value)
        if ours in ("augment", "transforms") and isinstance(value, dict):
            value = _steps(value)
        value = _converted(ours, key, value)
        if ours in DECLARED and not self._is_read(section, {ours: value}):
            value = _declared(ours, value)
        is_path = ours in ("weights", "vectors", "spec") and isinstance(value, str)
        named = _exemplary(ours, value)
        for given in (value, named, INSTEAD.get(ours), fields[ours].default):
            if given is not None and (is_path or ours == "weights" or self._is_read(section, {ours: given})):
                return {ours: given if not isinstance(given, bool) or ours != "weights" else INSTEAD[ours]}
        return None

    def _settings(self, section: str, value: object) -> dict[str, Any]:
        """What can be read of a section that has another name."""
        if section == "evaluate" and isinstance(value, str):
            return {"split": value}
        out: dict[str, Any] = {}
        for key, given in value.items() if isinstance(value, dict) else ():
            out |= self._setting(section, str(key), given) or {}
        for key, given in value.items() if isinstance(value, dict) and section == "train" else ():
            out |= self._of_optimizer(str(key), given, out.get("optimizer")) or {}
        return out

    def _stopping(self, value: object) -> dict[str, Any]:
        patience = value.get("patience") if isinstance(value, dict) else value
        is_count = isinstance(patience, int) and not isinstance(patience, bool) and patience > 0
        return {"monitor": "loss", "patience": patience if is_count else 10}

    def _of_optimizer(self, key: str, value: object, written: object = None) -> dict[str, Any] | None:
        """The optimizer of the file, or of a section, with an argument more; None where it is none of its."""
        if written is None:
            held = self.tree.get("train")
            written = held.get("optimizer", "adam") if isinstance(held, dict) else "adam"
        name = _name_of(written)
        kind = Optimizer.find(name)
        argument = same("parameter", {"lr0": "lr"}.get(key, key), kind.model_fields) if kind is not None else None
        if kind is None or argument is None:
            return None
        held = written[name] if isinstance(written, dict) else None
        others = held if isinstance(held, dict) else {kind.main: held} if held is not None else {}
        found = {"optimizer": {name: {**others, argument: value}}}
        return found if self._is_read("train", found) else None

    @property
    def _optimizer(self) -> str:
        """The name of the file's optimizer, or a usual one."""
        held = self.tree.get("train")
        return name if isinstance(held, dict) and Optimizer.find(name := _name_of(held.get("optimizer"))) else "adam"

    def _beside(self, value: Mapping[Any, Any]) -> str | None:
        """An optimizer with settings of the section below it that belong beside it."""
        own = {name: given for name, given in value.items() if Optimizer.find(str(name))}
        others = {name: given for name, given in value.items() if name not in own}
        if len(own) != 1 or not others or not self._is_read("train", found := {"optimizer": own, **others}):
            return None
        return f"beside optimizer stands {' and '.join(map(str, others))}: {as_written(found)}"

    def _of_no_name(self, value: Mapping[Any, Any]) -> str | None:
        """The usual optimizer with arguments that were given without one."""
        out: dict[str, Any] = {}
        for key, given in value.items():
            found = self._of_optimizer(str(key), given, out.get("optimizer", "adam"))
            if found is None:
                return None
            out |= found
        return f"the optimizer has a name: {as_written(out)}" if out else None

    def _is_read(self, section: str, values: Mapping[str, Any]) -> bool:
        model = self.sections[section]
        header = {"archspec_run": 1, "spec": "net"} if section == "" else {}
        try:
            model.model_validate({**header, **values}, context=self._context)
        except ValidationError:
            return False
        return True

    def _shown(self, model: type[BaseModel], values: dict[str, Any]) -> str | None:
        section = next(name for name, known in self.sections.items() if known is model)
        return as_written(values) if self._is_read(section, values) else None

    def _said(self, own: str, section: str, found: dict[str, Any]) -> str | None:
        ours = next(iter(found))
        if own == section:
            return f"it is called {ours} here: {as_written(found)}" if len(found) == 1 else f"write {as_written(found)}"
        if section == "":
            return f"it stands beside {own}, at the left margin: {as_written(found)}"
        return f"it belongs in {section}: {as_written({section: found})}"

    def _crossentropy(self) -> str:
        """The cross-entropy for the labels that the data have: numbers of classes, unless examples are mixed."""
        steps = self.tree.get("augment")
        mixes = any(
            name in ("mixup", "cutmix") for step in steps or () for name in ([step] if isinstance(step, str) else step)
        )
        one = "categorical_crossentropy" if mixes else "sparse_categorical_crossentropy"
        labels = "shares of classes, as examples are mixed" if mixes else "numbers of classes"
        return f"loss: {one} for labels that are {labels}; loss: binary_crossentropy for yes or no"

    def _data(self, value: object) -> str | None:
        """The source that a path means, by what is there."""
        if found := self._source(value) or self._named(value):
            return as_written(found)
        if ours := translated(DataSource, value, "data source", self._context):
            return f"data: {ours}"
        text = path_of(value)
        if text is not None and ("/" in text or os.sep in text or isinstance(value, dict)):
            hint = f"there is no file or folder {text} beside the run file, or in the folder of ARCHSPEC_DATA; data: "
            return hint + "{folder: path/to/photos}"
        return None

    def _named(self, value: object) -> dict[str, Any] | None:
        """``data`` as it is written for a data set that a source knows by name, in whatever form."""
        if isinstance(value, dict) and value:
            value = next((value[key] for key in ("name", "type", "dataset") if key in value), next(iter(value)))
        found = known_data_set(str(value))
        said = None if found is None else {"data": {found[0]: found[2]}}
        return said if said and self._is_read("", said) else None

    def _held_out(self, path: tuple[Any, ...], value: object) -> str | None:
        """A share that is held out of the data, where a person names it as a split of files."""
        held, key = self.tree.get("data"), path[-1]
        args = held[path[1]] if isinstance(held, dict) else None
        kind = DataSource.find(str(path[1]))
        if kind is None or "holdout" not in kind.model_fields or not isinstance(args, dict):
            return None
        if not isinstance(value, float) or not 0 < value < 1:
            return None
        found = {"data": {kind.name: {("holdout" if k == key else k): v for k, v in args.items()}}}
        return f"a share of the rows is held out: {as_written(found)}" if self._is_read("", found) else None

    def _source(self, value: object) -> dict[str, Any] | None:
        """``data`` as it is written for what lies at a path."""
        text = path_of(value)
        if text is None or not text or "\0" in text:
            return None
        roots = [self.folder, *(Path(shared) for shared in (os.environ.get("ARCHSPEC_DATA"),) if shared)]
        place = next((p for root in roots if (p := root / Path(text).expanduser()).exists()), None)
        name = None if place is None else source_at(place)
        return None if name is None else {"data": {name: text}}


def _name_of(declared: object) -> str:
    """The name of a declaration, as it is written; empty where it has none."""
    return (
        str(next(iter(declared), "")) if isinstance(declared, dict) else declared if isinstance(declared, str) else ""
    )


def _converted(ours: str, theirs: str, value: object) -> Any:
    """A value as one of our settings takes it."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if ours == "clip" and is_number:
        return {CLIPS.get(_letters(theirs), "global_norm"): value}
    if ours == "precision":
        word = f"{theirs}{value}".lower()
        is_half = any(n in word for n in ("16", "half", "mixed", "amp")) and value is not False
        return (
            ("mixed_bfloat16" if "bf" in word else "mixed_float16") if is_half else "float32" if "32" in word else value
        )
    if isinstance(value, str) and ours not in DECLARED:
        bare = re.sub(r"(?<=\d)\s*[A-Za-z]+", "", value) if re.fullmatch(r"\d+\s*[a-z]{2,}", value.lower()) else value
        for number in (int, float):
            try:
                return number(bare)
            except ValueError:
                continue
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _steps(value: Mapping[Any, Any]) -> list[Any]:
    """A map of transforms as a list of them; what is switched on is a name alone."""
    return [k if v is None or v is True else {k: v} for k, v in value.items() if v is not False]


def _exemplary(ours: str, value: object) -> Any:
    """A member that is named without an argument that it needs, with a usual one; None where it needs none."""
    kind, noun = DECLARED.get(ours, (None, ""))
    name = same(noun, value, kind.names()) if kind is not None and isinstance(value, str) else None
    if name in NEEDED:
        return {name: NEEDED[name]}
    # What the table says of a name of others may end with what it means here.
    found = re.search(r"{.*}$", alias(noun, value) or "") if name is None and isinstance(value, str) else None
    return _read(found[0]) if found is not None else None


def _declared(ours: str, value: object) -> Any:
    """A declaration out of another program's form, or the value as it is."""
    kind, noun = DECLARED[ours]
    text = translated(kind, value, noun)
    return value if text is None else _read(text)


def _read(text: str) -> Any:
    from archspec.frontend.yaml_source import read
    from archspec.ir.diagnostics import Source

    return read(Source("value", text))


def _letters(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum())
