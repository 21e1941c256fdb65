"""The memory that archspec computes of a network, beside what PyTorch and TensorFlow hold.

    python tools/memory_peers.py torch [--batch N] [SPEC ...]      # in an environment with torch and torchvision
    python tools/memory_peers.py tensorflow [--batch N] [SPEC ...]

PyTorch runs torchvision's network, or one that ``memory_networks.py`` has, on fake tensors, which have sizes and no
numbers; an LSTM on real ones and without oneDNN, whose kernel saves a workspace that fake tensors do not show.
``saved`` is what ``saved_tensors_hooks`` see that is no weight, each storage once; ``inference`` and ``training`` are
the peaks of ``torch.distributed``'s MemTracker, of a pass and of a step of fused Adam.
TensorFlow runs nothing either: ``saved`` is what the traced forward pass of the compiled spec hands to its backward
pass, beside weights. Networks that do not have as many trainable weights as the spec are refused.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple
from unittest.mock import patch

import archspec
from archspec.analysis.memory import memory
from archspec.ir.graph import Graph

MIB = 2**20
TORCHVISION = {
    "alexnet_one_weird_trick": "alexnet",
    "vgg16": "vgg16",
    "vgg16_bn": "vgg16_bn",
    "resnet18": "resnet18",
    "resnet50": "resnet50",
    "resnext50_32x4d": "resnext50_32x4d",
    "inception_v3": "inception_v3",
    "densenet121": "densenet121",
    "squeezenet1_1": "squeezenet1_1",
    "shufflenet_v2_x1_0": "shufflenet_v2_x1_0",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3_small",
    "efficientnet_b0": "efficientnet_b0",
    "regnet_y_400mf": "regnet_y_400mf",
    "convnext_tiny": "convnext_tiny",
    "vit_b32": "vit_b_32",
    "swin_t": "swin_t",
}
"""torchvision's name of a spec of the catalogue."""
WRITTEN = {
    "unet": "unet",
    "dcgan:G": "generator",
    "gpt2_small": "gpt2",
    "char_lstm": "char_lstm",
    "textcnn_rand": "textcnn",
}
"""The function of ``memory_networks.py`` that makes a network of the catalogue."""
OF_TOKENS = ("gpt2_small", "char_lstm", "textcnn_rand")
IN_STEPS = ("char_lstm",)
"""Networks that are run on real tensors without oneDNN."""
WITHOUT_LOSS = ("dcgan:G", "gpt2_small")
"""Networks without a loss, or with one that keeps a seventh of what is kept and is no part of the network."""
COMPILED = (
    "lenet5",
    "alexnet_one_weird_trick",
    "vgg16",
    "resnet18",
    "resnet50",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_b0",
    "convnext_tiny",
    "mixer_s16",
    "vit_b32",
    "unet",
    "char_lstm",
    "textcnn_rand",
)


class Held(NamedTuple):
    """Bytes that a framework holds; None for what was not measured."""

    saved: int
    inference: int | None = None
    training: int | None = None


def torch_holds(spec: str, graph: Graph, batch: int) -> Held:
    """What PyTorch holds of a network. Raises ValueError where it has other weights than the spec."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    is_real = spec in IN_STEPS
    with nullcontext() if is_real else FakeTensorMode(), torch.backends.mkldnn.flags(enabled=not is_real):
        shape, (output, *_) = next(iter(graph.inputs.values())).shape, graph.outputs
        if spec in WRITTEN:
            net, beside = written(spec)
        else:
            net, beside = network(TORCHVISION[spec]), 0
        _require(sum(p.numel() for p in net.parameters()) - beside, graph)
        if len(shape) == 3:
            given = torch.empty(batch, shape[-1], *shape[:-1])
        else:
            given = torch.zeros(batch, *shape, dtype=torch.long) if spec in OF_TOKENS else torch.empty(batch, *shape)
        truth = torch.zeros(batch, *graph.spec(output.tensor).shape[:-1], dtype=torch.long)

        def loss() -> Any:
            found = net(given)
            found = found if torch.is_tensor(found) else found[0]
            return found.sum() if spec in WITHOUT_LOSS else torch.nn.functional.cross_entropy(found, truth)

        saved = _saved(net.train(), loss)
        inference = _peak(net.eval(), (), lambda: net(given), training=False)
        optimizer = torch.optim.Adam(net.train().parameters(), fused=True)

        def step() -> None:
            loss().backward()
            optimizer.step()
            optimizer.zero_grad()

        step()
        return Held(saved, inference + given.nbytes, _peak(net, (optimizer,), step, training=True) + given.nbytes)


def written(spec: str) -> tuple[Any, int]:
    """A network that is written beside this file, and how many weights PyTorch's has beyond the spec's."""
    sys.path.insert(0, os.path.dirname(__file__))
    import memory_networks

    made: tuple[Any, int] = getattr(memory_networks, WRITTEN[spec])()
    return made


def network(name: str) -> Any:
    from torch import library

    for op in ("nms", "qnms"):
        # torchvision asks for its compiled ops, which a wheel for another build of torch lacks and no classifier needs.
        try:
            library.define(f"torchvision::{op}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        except RuntimeError:
            break
    from torch import nn
    from torchvision import models

    # It looks at the numbers that it draws, which a fake tensor has not.
    with patch.object(nn.init, "trunc_normal_", lambda tensor, *args, **kwargs: tensor):
        return models.get_model(name, **({"init_weights": False} if name == "inception_v3" else {}))


def _require(count: int, graph: Graph) -> None:
    ours = sum(node.trainable_params for node in graph.owners())
    if count != ours:
        raise ValueError(f"the network has {count:,} trainable weights, the spec {ours:,}")


def _saved(net: Any, loss: Callable[[], Any]) -> int:
    """Bytes that autograd saves, weights and buffers aside."""
    import torch

    own = {value.untyped_storage()._cdata for value in (*net.parameters(), *net.buffers())}
    found: dict[int, Any] = {}

    def pack(value: Any) -> Any:
        storage = value.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage
        return value

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value):
        result = loss()
    del result
    return sum(storage.nbytes() for storage in found.values())


def _peak(net: Any, others: tuple[Any, ...], run: Callable[[], object], *, training: bool) -> int:
    """Bytes at the peak of what a run makes, with weights and what ``others`` hold."""
    import torch
    from torch.distributed._tools.mem_tracker import MemTracker

    tracker = MemTracker()
    tracker.track_external(net, *others)
    with tracker, torch.set_grad_enabled(training):
        run()
    (device,) = tracker.get_tracker_snapshot("peak").values()
    return int(device["Total"])


def tensorflow_holds(spec: str, graph: Graph, batch: int) -> Held:
    """What TensorFlow's traced forward pass hands to its backward pass."""
    import tensorflow as tf

    model = archspec.compile(graph)
    run = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=True), autograph=False)
    traced = run.get_concrete_function(*(tf.TensorSpec((batch, *s.shape), s.dtype) for s in graph.inputs.values()))
    forward, _ = traced._delayed_rewrite_functions.forward_backward()
    outputs = map(_stored, forward.graph.outputs)
    found = {tensor.name: tensor for tensor in outputs if not _is_weight(tensor)}
    sizes = [(t.shape.num_elements(), t.dtype.size) for t in found.values() if t.dtype != tf.variant]
    return Held(sum(count * each for count, each in sizes))


def _stored(tensor: Any) -> Any:
    """The tensor whose numbers it has under another shape."""
    while tensor.op.type in ("Reshape", "ExpandDims", "Squeeze", "StopGradient"):
        tensor = tensor.op.inputs[0]
    return tensor


def _is_weight(tensor: Any) -> bool:
    """Whether it is a weight as it was read, or an output of the network that is another tensor by another name."""
    return tensor.op.type in ("ReadVariableOp", "Identity")


def row(spec: str, holds: Callable[[str, Graph, int], Held], batch: int) -> str:
    """One network, as a row of the table."""
    name, _, part = spec.partition(":")
    graph = archspec.load(name)
    graph = graph.networks[part] if part else graph
    ours, theirs = memory(graph, batch), holds(spec, graph, batch)
    cells = [f"{spec:<26}"]
    pairs = ((ours.saved, theirs.saved), (ours.inference, theirs.inference), (ours.training, theirs.training))
    for computed, held in pairs:
        if held is not None:
            cells.append(f"{computed / MIB:>10.2f} {held / MIB:>10.2f} {100 * (computed / held - 1):>+7.2f} %")
    return " |".join(cells)


def main() -> None:
    """Print a row for each network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("framework", choices=("torch", "tensorflow"))
    parser.add_argument("specs", nargs="*", metavar="SPEC")
    parser.add_argument("--batch", type=int, default=8, help="default: 8")
    args = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    holds = torch_holds if args.framework == "torch" else tensorflow_holds
    names = args.specs or ((*TORCHVISION, *WRITTEN) if args.framework == "torch" else COMPILED)
    print(f"{'MiB: archspec, ' + args.framework:<26} | saved, inference and training")
    for spec in names:
        try:
            print(row(spec, holds, args.batch), flush=True)
        except ValueError as error:
            print(f"{spec:<26} | left out: {error}", flush=True)


if __name__ == "__main__":
    main()
