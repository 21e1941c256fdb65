"""One network with an objective of its own: what the ``train`` section beside its body says."""

from __future__ import annotations

from archspec.tasks.minimizing import MinimizingTask


class TrainingGraph(MinimizingTask, name="training_graph"):
    """A network that minimises the terms of its ``train`` section, with the losses of its heads. Reports every term.

    An input is the part of the data that has its name; one input that no part is called like is the image, or the one
    part that is left. A head with a loss is compared with the part of its name, or else with the label.
    """
