"""What a spec says of training its network, as ``keras.Model.compile`` takes it."""

from __future__ import annotations

from typing import Any

from archspec.ir.graph import Graph
from archspec.ops.loss import last_activation


def objective(graph: Graph) -> dict[str, Any]:
    """Losses, their weights and metrics of the heads, plain for a single one, else by their names.

    A loss takes scores or probabilities, as the head's last activation gives them. Raises ValueError where no head has
    a loss, OpError where one does not suit its head.
    """
    heads = [output for output in graph.outputs if output.loss is not None]
    if not heads:
        raise ValueError(f"no head of {graph.name} has a loss: there is nothing to minimise")
    losses, metrics = {}, {}
    for head in heads:
        spec, last = graph.spec(head.tensor), last_activation(graph.by_name, head.tensor)
        is_logits = head.loss.gets_logits(last)
        head.loss.target(spec)
        losses[head.name] = head.loss.lower(from_logits=is_logits)
        metrics[head.name] = [metric.lower(spec, head.loss.labels, is_logits) for metric in head.metrics]
    if len(graph.outputs) == 1:
        (name,) = losses
        return {"loss": losses[name], "loss_weights": heads[0].weight, "metrics": metrics[name] or None}
    weights = {output.name: output.weight for output in graph.outputs}
    every = {output.name: None for output in graph.outputs}
    return {"loss": {**every, **losses}, "loss_weights": weights, "metrics": metrics}
