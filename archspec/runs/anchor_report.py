"""Shapes for the anchors of a set, and what the anchors of a run file's spec reach of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from archspec.data.source import DataSource
    from archspec.data.transform import Transform
    from archspec.ir.graph import Graph

LEVELS = (0.4, 0.5, 0.6, 0.7)
"""IoU from which an object counts as reached."""
SIZES = (("small", 0.0, 32.0**2), ("medium", 32.0**2, 96.0**2), ("large", 96.0**2, float("inf")))
"""COCO's areas, in pixels as the network sees them."""


@dataclass(frozen=True, slots=True)
class AnchorReport:
    """Shapes that were found (width, height), how well they stand for the objects, and what a spec's anchors reach."""

    objects: int
    pixels: str
    sizes: list[list[float]]
    mean_iou: float
    recall: dict[str, float]
    spec: dict[str, Any] | None

    def text(self) -> str:
        """For a terminal: YAML to put into a spec, and figures as comments."""
        near = ", ".join(f"{share:.3f} from {level}" for level, share in self.recall.items())
        lines = [
            f"# {self.objects:,} objects, in pixels of {self.pixels}",
            f"# nearest shape: IoU {self.mean_iou:.3f} in the mean; share of objects: {near}",
            f"sizes: {_yaml(self.sizes)}    # [width, height]",
        ]
        if self.spec is not None:
            lines.append("")
            lines.append(f"# {self.spec['anchors']:,} anchors of the spec, where they stand:")
            for name, row in self.spec["recall"].items():
                shares = "  ".join(f"{level} {share:.3f}" for level, share in row["recall"].items())
                lines.append(f"#   {name:<7} {row['objects']:>8,} objects  recall at IoU {shares}")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def anchors(text: str, count: int, size: tuple[int, int] | None, found: DataSource) -> AnchorReport:
    """Cluster the objects of the training split, as the run file's network sees them, or scaled into ``size``, or in
    pixels of the files. Raises DataError, SpecError."""
    import numpy as np

    from archspec.data.box_shapes import clustered, reached, seen_boxes
    from archspec.data.transforms.letterboxes import Letterbox
    from archspec.runs.run import Run

    steps: tuple[Transform, ...] = (Letterbox(size=size),) if size else ()
    pixels, graph = "the files", None
    if size:
        pixels = f"a picture that just fits {size[1]}×{size[0]}"
    elif Path(text).suffix.lower() in (".yaml", ".yml"):
        plan = Run.open(text).plan()
        steps, graph = plan.pipeline.eval_transforms, plan.graph
        pixels = "what the network sees"
    boxes = seen_boxes(found, steps)
    sides = np.concatenate([one[:, 2:] - one[:, :2] for one in boxes]).astype(np.float64)
    shapes = clustered(sides, count)
    spec = None
    if graph is not None and len(own := _anchors_of(graph)):
        best = reached(boxes, own)
        areas = sides.prod(1)
        of_size = {"all": np.ones(len(areas), bool)}
        of_size |= {name: (areas >= low) & (areas < high) for name, low, high in SIZES}
        spec = {
            "anchors": len(own),
            "recall": {name: _row(best[at]) for name, at in of_size.items() if at.any()},
        }
    rounded = [[float(f"{n:.3g}") for n in row] for row in shapes.sizes.tolist()]
    recall = _row(shapes.overlaps)["recall"]
    return AnchorReport(len(sides), pixels, rounded, round(float(shapes.overlaps.mean()), 4), recall, spec)


def _row(best: np.ndarray) -> dict[str, Any]:
    return {"objects": len(best), "recall": {str(level): round(float((best >= level).mean()), 4) for level in LEVELS}}


def _anchors_of(graph: Graph) -> np.ndarray:
    """The anchors of all maps of a graph, (count, 4), as the network makes them; none where a map has an open size."""
    import numpy as np

    from archspec.backend.installation import import_keras

    keras, made = import_keras(), [np.zeros((0, 4))]
    for node in graph.nodes:
        op = node.op
        if op.rows_are != "anchors" or node.output.shape[0] is None:
            continue
        like = graph.spec(node.inputs[0])
        found = op.lower(like)(keras.ops.zeros((1, *like.shape[:2], 1)))
        made.append(keras.ops.convert_to_numpy(found)[0].astype(np.float64))
    return np.concatenate(made)


def _yaml(sizes: list[list[float]]) -> str:
    return "[" + ", ".join(f"[{w:g}, {h:g}]" for w, h in sizes) + "]"
