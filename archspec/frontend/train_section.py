"""What a ``train`` section lacks, or has that is for files of another kind."""

from __future__ import annotations

from archspec.frontend.yaml_source import Map
from archspec.ir.diagnostics import Diagnostic


def train_faults(tree: Map) -> list[Diagnostic]:
    """What the training section of a file lacks, or has for nothing."""
    at, section = tree.key_span("train"), tree["train"]
    if tree.get("body") is not None:
        for key in section:
            if key not in ("inputs", "body", "minimize"):
                message = f"train.{key} is for a file of networks without a body"
                help = "with a body, train: {minimize: […]} updates all that it has"
                return [Diagnostic("S02", message, section.key_span(key), help)]
        lacking = [] if "minimize" in section else ["minimize"]
    elif not tree.get("networks"):
        return [Diagnostic("S02", "train needs a body, or networks to update", at)]
    else:
        if "steps" in section and "minimize" in section:
            message = "train has steps, each of which minimizes, or minimize alone, which updates all networks"
            return [Diagnostic("S02", message, section.key_span("minimize"), "leave one of the two out")]
        lacking = [key for key in ("inputs", "body") if key not in section]
        lacking += [] if "steps" in section or "minimize" in section else ["steps"]
    helps = {"minimize": "minimize: [{mse: [RESULT, TARGET]}]: results of the body, and what examples bring"}
    return [Diagnostic("S02", f"train needs '{key}'", at, helps.get(key)) for key in lacking]
