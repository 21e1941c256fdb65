"""A trained network evaluated as it was in training: its task's loss, metrics and figures."""

from __future__ import annotations

from pathlib import Path

from archspec.training.plan import Plan


def evaluated(plan: Plan, weights: Path) -> dict[str, float]:
    """The figures of the plan's split, by name. Raises WeightsError, OSError."""
    from archspec.training.trained import trained

    graph = plan.graph.inference()
    model = trained(graph, weights)
    objective = plan.task.trainer(graph, model, plan.spec.train)
    model = objective.model
    model.compile(**objective.compiled())
    assert plan.split is not None
    held_out = plan.pipeline.evaluation(plan.split, objective.pairs, batch=plan.spec.evaluate.batch)
    found = model.evaluate(held_out, return_dict=True, verbose=0)
    more = objective.figures(plan, held_out) if objective.figures else {}
    return {name: float(value) for name, value in {**found, **more}.items()}
