"""Runs of small networks that are trained in turn."""

from __future__ import annotations

from pathlib import Path

from archspec.runs import Run
from archspec.training.plan import Plan

POINTS = """
archspec: 1
name: points
networks:
  G: {inputs: {z: [3]}, body: [dense: 8, batch_norm, relu, dropout: 0.2, dense: 2]}
  D: {inputs: {x: [2]}, body: [dense: 8, {leaky_relu: 0.2}, dropout: 0.2, dense: 1]}
train:
  inputs: {real: [2], z: {normal: [3]}, at: {uniform: [1]}}
  body:
    - {G, from: z, as: fake}
    - {image_pool: 20, from: fake, as: shown}
    - {interpolate, from: [real, shown, at], as: between}
    - {D, from: real, as: real_score}
    - {D, from: shown, as: shown_score}
    - {sample_normal: draw, from: [fake, fake], as: blurred}
    - {D, from: blurred, as: fake_score}
    - {D, from: between, as: between_score}
  steps:
    - update: [D]
      turns: "=3 if rounds % 5 == 0 else 2"
      minimize:
        - {wasserstein: [real_score, 1]}
        - {wasserstein: [shown_score, -1]}
        - {gradient_penalty: [between_score, between], weight: 0.1}
    - {update: [G], minimize: [{wasserstein: [fake_score, 1]}]}
  average: {G: 0.9}
"""
"""With everything that a checkpoint must have: turns that change, a pool, an average, dropout, draws of inputs and of a
layer that is no network's."""

IMAGES = """
archspec: 1
name: images
networks:
  G: {inputs: {x: [8, 8, 1]}, body: [conv: {filters: 1, kernel: 3}]}
  D: {inputs: {x: [8, 8, 1]}, body: [flatten, dense: 1]}
train:
  inputs: {real: [8, 8, 1]}
  body:
    - {G, from: real, as: made}
    - {D, from: made, as: score}
    - {D, from: real, as: real_score}
  steps:
    - {update: [D], turns: 2, minimize: [{wasserstein: [score, -1]}]}
    - {update: [G], minimize: [{wasserstein: [score, 1]}, {mae: [made, real]}]}
"""
RUN = """
archspec_run: 1
spec: networks.yaml
data: {gaussians: {train: 640}}
train: {optimizer: {adam: 0.01}, epochs: 4, batch: 32, seed: 5, steps_per_execution: 1, checkpoint_steps: 3}
"""


def write(folder: Path, spec: str = POINTS, run: str = RUN) -> Path:
    """The run file and its spec in a folder."""
    (folder / "networks.yaml").write_text(spec, encoding="utf-8")
    path = folder / "run_of_them.yaml"
    path.write_text(run, encoding="utf-8")
    return path


def plan(folder: Path, spec: str = POINTS, run: str = RUN) -> Plan:
    """The plan of a run."""
    return Run.open(str(write(folder, spec, run))).plan()


def of(train: str, data: str = "{gaussians: {train: 64}}") -> str:
    """A run file with this ``train`` section."""
    return f"archspec_run: 1\nspec: networks.yaml\ndata: {data}\ntrain: {train}\n"
