"""Run files of the catalogue's adversarial systems, with data that every machine has."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from archspec.frontend import catalogue
from archspec.runs import Run
from archspec.training.plan import Plan

FOLDER = catalogue.folder() / "runs" / "adversarial"


def plan_of(name: str, folder: Path, *, settings=None, data=None, **train) -> Plan:
    """The plan of a run file of the catalogue, with other parameters, data and settings of training."""
    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    spec = document["spec"]
    document["spec"] = str((FOLDER / spec).resolve()) if spec.endswith(".yaml") else spec
    document["set"] = {**document.get("set", {}), **(settings or {})}
    document["data"] = data or document["data"]
    document["train"] |= train
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return Run.open(str(path)).plan()


def data_for(name: str, one: Path, other: Path):
    """Data in place of what a run file names and no machine has: two folders of pictures. None where it has its own."""
    if name == "cyclegan":
        return {"unpaired": {"a": str(one), "b": str(other)}}
    needs = ("pix2pix_facades", "srresnet", "srgan", "srresnet_patches", "srgan_patches")
    return {"pictures": str(one)} if name in needs else None
