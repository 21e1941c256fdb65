"""A run's record gives back the kinds of its data: what predict, evaluate and export go by where the data are gone."""

import pytest

from archspec.runs import Run
from archspec.training.record import recorded_features, write_plan

RUNS = {
    "lenet5": "an image and a class",
    "siamese_digits": "two images",
    "hard_sharing_digits": "a class and a number",
    "mlp_diabetes": "a row and a number",
    "wgan_gp_ring": "a row",
    "seq2seq_reverse": "tokens",
    "ssd_shapes": "boxes, and what goes with them",
}


@pytest.mark.parametrize("name", RUNS)
def test_features_of_a_record_are_those_of_the_run(name, tmp_path):
    plan = Run.open(name).plan()
    write_plan(plan, tmp_path)
    found, wanted = recorded_features(tmp_path).features, plan.features.features
    assert list(found) == list(wanted)
    for part, kind in wanted.items():
        # Vocabularies are read from their files, and are others by identity.
        assert type(found[part]) is type(kind) and str(found[part]) == str(kind)
