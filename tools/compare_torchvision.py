"""Detectors of torchvision with random weights against the specs that `archspec weights import` gives them to.

    pip install torch torchvision
    python tools/compare_torchvision.py [ssd300 retinanet faster_rcnn mask_rcnn] [--seed 0]

Each network is drawn at random, batch statistics included, its scores spread so that some are high; its state dict is
imported by rules, as the command line does, and both see one random image. Compared are the detections: how many, their
classes and order, and how far boxes (pixels), scores and masks (probabilities within boxes, before either pastes them)
are apart. Rows whose scores differ by less than 1e-5 may change places. What differs by design is set alike:

- torchvision takes the best of each class or level before suppression, specs the best of all: a threshold of the scores
  lets fewer than either limit through.
- It suppresses region proposals level by level, the spec all together.
- It orders proposals by their probability, the spec by their logits. In float32 all logits above 16.6 have the
  probability 1, and then stand in the order of their anchors; logits are drawn such that they stay far below.
- It leaves out proposals thinner than 0.001 pixels and detections thinner than 0.01, such as lie beyond the border;
  specs keep them. Here both keep them.
- It rounds anchors to whole pixels, as `round: true` does, and RetinaNet's sizes down to such.
- Within suppression it moves the boxes of each class apart, which rounds them; here it goes class by class.
- Rows of its first dense layer count channels first, as no rule says of regions: they are put in order before.
- It cuts boxes of SSD and RetinaNet at the image's border before suppression.
- It divides an image's size by a map's for the map's stride: sizes here are such that this is the spec's stride.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TOLERANCE = 1e-3
"""Most pixels that a box may be apart."""
ALIKE = 1e-5
"""Scores that differ by less are one."""

OCTAVES = ("=side * 2**i", "=side * 2**i * 126 // 100", "=side * 2**i * 1588 // 1000")

MASK_HEAD = r"""
  'roi_heads\.mask_head\.(\d)\.0': 'mask_head.conv.\1'
  'roi_heads\.mask_predictor\.conv5_mask': mask_head.conv_transpose
  'roi_heads\.mask_predictor\.mask_fcn_logits': mask_head.conv_2
"""


@dataclass(frozen=True)
class Pair:
    """A detector of torchvision and its spec: what that is set to, rules of which layer is which, its lines of
    suppression as they stand and with ``T`` for the threshold, how many candidates may pass that, and the number of the
    first class in torchvision."""

    factory: str
    spec: str
    size: int
    set: dict[str, Any]
    rules: str
    lines: dict[str, str]
    candidates: int
    first: int


PAIRS = {
    "ssd300": Pair(
        "ssd300_vgg16",
        "ssd300_coco",
        300,
        {"sizes": [21, 45, 99, 153, 207, 261, 315]},
        r"""
names:
  'backbone\.extra\.0\.7\.1': conv_2
  'backbone\.extra\.0\.7\.3': f.1
  'backbone\.extra\.([1-4])\.0': 'conv_3.{\1 + 1}'
  'backbone\.extra\.([1-4])\.2': 'f.{\1 + 1}'
  'head\.classification_head\.module_list\.(\d)': 'conv_4.\1'
  'head\.regression_head\.module_list\.(\d)': 'conv_5.\1'
axes: {AXES}
""".replace("AXES", ", ".join(f"{name}.{k}: last" for name in ("cls", "box") for k in range(6))),
        {"score: 0.01, before: 400": "score: T, before: 400"},
        390,
        1,
    ),
    "retinanet": Pair(
        "retinanet_resnet50_fpn",
        "retinanet",
        256,
        {"size": 256},
        r"""
names:
  'backbone\.fpn\.layer_blocks\.(\d)\.0': 'p.{\1 + 3}'
  'backbone\.fpn\.extra_blocks\.p(\d)': 'p.\1'
  'head\.classification_head\.conv\.(\d)\.0': 'classifier.conv.\1'
  'head\.classification_head\.cls_logits': classifier.conv_2
  'head\.regression_head\.conv\.(\d)\.0': 'regressor.conv.\1'
  'head\.regression_head\.bbox_reg': regressor.conv_2
axes: {AXES}
""".replace("AXES", ", ".join(f"{name}.{k}.reshape: last" for name in ("cls", "reg") for k in range(3, 8))),
        {
            "score: 0.05, iou: 0.5, before: 1000": "score: T, iou: 0.5, before: 1000",
            "offset: 0}": "offset: 0, round: true}",
            # Octaves of 32 are 32, 40 and 50 there.
            "{sizes: =side * 2**i, octaves: 3,": f"{{sizes: [{', '.join(OCTAVES)}],",
        },
        900,
        0,
    ),
    "faster_rcnn": Pair(
        "fasterrcnn_resnet50_fpn",
        "faster_rcnn_r50_fpn",
        256,
        {"size": 256},
        r"""
names:
  'backbone\.fpn\.layer_blocks\.(\d)\.0': 'p.{\1 + 2}'
  'rpn\.head\.conv\.0\.0': rpn.h
  'rpn\.head\.cls_logits': rpn.conv
  'rpn\.head\.bbox_pred': rpn.conv_2
axes: {AXES, second.reshape: last}
""".replace("AXES", ", ".join(f"r.{k}.{name}: last" for name in ("scores", "deltas") for k in range(2, 7))),
        {
            "before: =2 * proposals": "before: 20000",
            "score: 0.05, iou: 0.5": "score: T, iou: 0.5",
            "offset: 0}": "offset: 0, round: true}",
        },
        900,
        1,
    ),
}
PAIRS["mask_rcnn"] = replace(
    PAIRS["faster_rcnn"],
    factory="maskrcnn_resnet50_fpn",
    spec="mask_rcnn_r50_fpn",
    rules=PAIRS["faster_rcnn"].rules.replace("\naxes", MASK_HEAD + "\naxes"),
)


def main() -> None:
    """Compare each, print, and fail where any is further apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*PAIRS, []], help="default: all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    bad = False
    for name in args.names or PAIRS:
        found = compared(PAIRS[name], args.seed)
        bad |= not found.is_equal
        said = "equal" if found.is_equal else f"NOT equal ({found.missing} have no counterpart)"
        near = f"boxes within {found.boxes:.1e} px, scores within {found.scores:.1e}"
        near += "" if found.masks is None else f", masks within {found.masks:.1e}"
        print(f"{name:<12} {found.count:4d} detections, {said} in number, classes and order: {near}", flush=True)
    sys.exit(bad)


def compared(pair: Pair, seed: int) -> SimpleNamespace:
    """Both on one image."""
    import numpy as np
    import torch

    torch.manual_seed(seed)
    network = drawn(pair)
    pixels = np.random.default_rng(seed).random((pair.size, pair.size, 3), np.float32)
    image = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
    scores = scores_of(network, image)
    ordered = np.sort(scores.ravel())[::-1]
    # Between two scores that are far enough apart for both to say on which side they lie.
    at = pair.candidates - 20 + int(np.argmax(-np.diff(ordered[pair.candidates - 20 : pair.candidates])))
    threshold = float((ordered[at] + ordered[at + 1]) / 2)
    theirs = detected(network, image, threshold)
    ours = by_spec(pair, network, pixels, threshold)
    count = int(ours["count"][0])
    boxes, labels = theirs["boxes"].numpy(), theirs["labels"].numpy() - pair.first
    has_masks = "masks" in theirs
    out = SimpleNamespace(count=len(labels), boxes=np.inf, scores=np.inf, masks=None, is_equal=False, missing=0)
    if count != len(labels):
        return out
    own, scores = ours["boxes"][0, :count], ours["scores"][0, :count]
    out.scores = float(np.abs(scores - theirs["scores"].numpy()).max())
    left, out.boxes, out.masks = list(range(count)), 0.0, 0.0 if has_masks else None
    for row, (box, label, score) in enumerate(zip(boxes, labels, theirs["scores"].numpy(), strict=True)):
        near = [k for k in left if ours["classes"][0, k] == label and abs(scores[k] - score) <= ALIKE]
        apart = [float(np.abs(own[k] - box).max()) for k in near]
        if not near or min(apart) > TOLERANCE:
            out.missing += 1
            continue
        best = int(np.argmin(apart))
        out.boxes = max(out.boxes, apart[best])
        if has_masks:
            drawn_, own_ = theirs["masks"][row, 0].numpy(), ours["masks"][0, near[best]]
            out.masks = max(out.masks, float(np.abs(drawn_ - own_).max()))
        left.remove(near[best])
    out.is_equal = not out.missing and out.scores <= ALIKE and (out.masks or 0.0) <= TOLERANCE
    return out


def drawn(pair: Pair) -> Any:
    """torchvision's network, at random."""
    import torch
    from torchvision.models import detection
    from torchvision.models.detection import retinanet, roi_heads, rpn, ssd

    plain = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    sizes = {} if "ssd" in pair.factory else {"min_size": pair.size, "max_size": pair.size}
    network = getattr(detection, pair.factory)(weights=None, weights_backbone=None, **plain, **sizes).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.8, 1.5)
                module.weight.uniform_(0.8, 1.2)
                module.bias.uniform_(-0.2, 0.2)
        for name, weight in network.named_parameters():
            # Scores that differ by less than rounding would be in any order.
            if any(part in name for part in ("cls_logits", "cls_score", "classification_head.module_list")):
                spread = (0.2 if name.startswith("rpn.") else 2) / weight[0].numel() ** 0.5
                weight.copy_(torch.randn_like(weight) * (0.3 if weight.ndim == 1 else spread))
            if "mask_fcn_logits" in name:
                weight.copy_(torch.randn_like(weight) * (0.3 if weight.ndim == 1 else 30 / weight[0].numel() ** 0.5))
            if any(part in name for part in ("bbox_reg", "bbox_pred", "regression_head.module_list")):
                weight.copy_(torch.randn_like(weight) * (0.02 if weight.ndim == 1 else 0.1 / weight[0].numel() ** 0.5))
    for module in (ssd, retinanet):
        uncut = {**vars(module.box_ops), "clip_boxes_to_image": lambda boxes, size: boxes}
        uncut["batched_nms"] = module.box_ops._batched_nms_vanilla
        module.box_ops = SimpleNamespace(**uncut)
    if hasattr(network, "rpn"):
        network.rpn.min_size = 0.0
        network.rpn._pre_nms_top_n = {"training": 20000, "testing": 20000}
        own = rpn.box_ops
        every = lambda boxes, min_size: torch.arange(len(boxes))  # noqa: E731
        own_way = {"batched_nms": own._batched_nms_vanilla, "remove_small_boxes": every}
        roi_heads.box_ops = SimpleNamespace(**{**vars(own), **own_way})
        together = lambda boxes, scores, levels, most: own.nms(boxes, scores, most)  # noqa: E731
        rpn.box_ops = SimpleNamespace(**{**vars(own), "batched_nms": together})
    return network


def scores_of(network: Any, image: Any) -> Any:
    """The probabilities that suppression sees: of every anchor, or region, and class but the background."""
    import torch

    held: list[Any] = []
    head = network.roi_heads.box_predictor if hasattr(network, "roi_heads") else network.head
    hook = head.register_forward_hook(lambda module, given, out: held.append(out))
    with torch.no_grad():
        network([image])
    hook.remove()
    if isinstance(held[0], tuple):
        return torch.softmax(held[0][0], -1)[:, 1:].numpy()
    logits = held[0]["cls_logits"]
    return (torch.sigmoid(logits) if "Retina" in type(network).__name__ else torch.softmax(logits, -1)[..., 1:]).numpy()


def detected(network: Any, image: Any, threshold: float) -> Any:
    """What torchvision finds; masks as they fill their boxes."""
    import torch

    (network.roi_heads if hasattr(network, "roi_heads") else network).score_thresh = threshold
    held: list[Any] = []
    if hasattr(network, "roi_heads"):
        hook = network.roi_heads.register_forward_hook(lambda module, given, out: held.append(dict(out[0][0])))
    with torch.no_grad():
        found = network([image])[0]
    if held:
        hook.remove()
    return found | {"masks": held[0]["masks"]} if "masks" in found else found


def by_spec(pair: Pair, network: Any, pixels: Any, threshold: float) -> dict[str, Any]:
    """What the spec finds, with weights out of the state dict."""
    import numpy as np
    import torch

    import archspec
    from archspec.backend import weights
    from archspec.backend.rules import Rules
    from archspec.frontend.catalogue import find

    entry = find(pair.spec)
    assert entry is not None
    with tempfile.TemporaryDirectory() as folder:
        place = entry.path
        text = place.read_text(encoding="utf-8")
        for line, changed in pair.lines.items():
            if line not in text:
                sys.exit(f"{place} has no longer '{line}', which is changed for the comparison")
            text = text.replace(line, changed.replace("T", repr(threshold)))
        spec, state, rules = (Path(folder, name) for name in ("spec.yaml", "state.pth", "rules.yaml"))
        spec.write_text(text, encoding="utf-8")
        rules.write_text(pair.rules, encoding="utf-8")
        arrays = network.state_dict()
        if (dense := arrays.get("roi_heads.box_head.fc6.weight")) is not None:
            moved = dense.reshape(len(dense), -1, 7, 7).permute(0, 2, 3, 1).reshape(dense.shape)
            arrays["roi_heads.box_head.fc6.weight"] = moved.contiguous()
        torch.save(arrays, state)
        graph = archspec.load(spec, variant=entry.variant, **pair.set).inference()
        model = archspec.compile(graph)
        weights.assign(model, weights.imported(state, graph, Rules.read(rules)).values)
        return {name: np.asarray(value) for name, value in model(pixels[None], training=False).items()}


if __name__ == "__main__":
    main()
