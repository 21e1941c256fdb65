"""What the files of other programs call the sections of a spec, and whose file one is that is no spec."""

from __future__ import annotations

from typing import Any

from archspec.frontend.yaml_source import Map

_SECTIONS = {
    "body": "layers, model, architecture, network, steps, sequential, modules, backbone, graph, nodes, net, forward",
    "inputs": "input, input_shape, in, image, placeholders",
    "params": "parameters, variables, constants, args, arguments, hyperparameters, vars, config, settings",
    "heads": "outputs, output, head, out, classifier, tasks",
    "blocks": "functions, definitions, defs, macros, components, block, modules",
    "variants": "configs, versions, sizes, models, presets, variant",
    "use": "imports, import, include, includes, uses, requires",
    "defaults": "default, global, globals",
    "doc": "description, notes, comment, docs, about, title",
    "expect": "expected, checks, tests, assert",
    "train": "training",
}
"""What other formats call the sections of a file."""


_OPTIMISING = ("optimizer", "optimiser", "optim", "learning_rate", "lr", "schedule", "scheduler", "weight_decay")
_FEEDING = (
    "epochs",
    "batch",
    "batch_size",
    "dataset",
    "data",
    "augment",
    "augmentation",
    "seed",
    "callbacks",
    "patience",
    "compile",
    "trainer",
    "fit",
    "pretrained",
    "precision",
    "dtype",
    "device",
    "devices",
    "gpus",
)
OF_RUNS = frozenset((*_OPTIMISING, *_FEEDING))
"""What is said in a run file."""
_OF_HEADS = ("loss", "losses", "metrics", "criterion", "metric")


def elsewhere(key: str) -> str | None:
    """Where a key stands that is none of a spec."""
    if key.lower() in OF_RUNS:
        return "how a network is trained stands in a run file (archspec_run: 1), or in flags of 'archspec train'"
    if key.lower() in ("num_classes", "n_classes", "nc", "classes", "image_size", "img_size", "width", "depth"):
        return f"numbers that a spec is made with are parameters: params: {{{key}: …}}, and ={key} where it is used"
    return "a loss and metrics stand in a head: heads: {main: {loss: mse}}" if key.lower() in _OF_HEADS else None


def other_section(key: str, value: object = None) -> str | None:
    """The section of a spec that an unknown one is elsewhere."""
    if key.lower() in ("model", "arch", "architecture", "backbone", "encoder") and isinstance(value, str):
        return f"another spec is named under use:, and called as a step: use: {{net: {value}}}, body: [net]"
    if key.lower() in ("network", "nets", "models") and isinstance(value, Map) and "body" not in value:
        return "did you mean 'networks'?"
    ours = next((ours for ours, theirs in _SECTIONS.items() if key.lower() in theirs.split(", ")), None)
    return None if ours is None else f"did you mean '{ours}'? ('{key[:40]}' is {ours} in archspec)"


TWO_FILES = "here the network is a spec, its training a run file, and 'archspec init NAME' writes both"


def of_other_program(tree: dict[str, Any]) -> str | None:
    """What to do with the file of another program, which its sections give away."""
    keys = tree.keys()
    if {"backbone", "head"} <= keys and isinstance(tree["backbone"], list):
        return "it looks like a model file of Ultralytics: 'archspec import FILE' makes a spec of it"
    if {"input_features", "output_features"} <= keys:
        return f"it looks like a file of Ludwig: {TWO_FILES}"
    if "model" in keys and {"trainer", "data", "fit", "optimizer", "train"} & keys:
        return f"it looks like the configuration of a training: {TWO_FILES}"
    if "class_name" in keys and "config" in keys:
        return "it looks like a Keras model as JSON: 'archspec decompile' makes a spec of a .keras file"
    return None
