"""Regularisation at inference is the identity; what it does in training is in ``test_regularization.py``."""

from tests.ops.rows import Row


def _identity(weights, x):
    return x


ROWS = [
    Row("dropout", {"rate": 0.5}, ((4, 5, 3),), _identity),
    Row("dropout", {"rate": 0}, ((3,),), _identity),
    Row("spatial_dropout", {"rate": 0.5}, ((4, 3),), _identity),
    Row("spatial_dropout", {"rate": 0.5}, ((4, 5, 3),), _identity),
    Row("spatial_dropout", {"rate": 0.5}, ((4, 5, 2, 3),), _identity),
    Row("drop_path", {"rate": 0.1}, ((4, 5, 3),), _identity),
    Row("drop_path", {"rate": 0.1}, ((3,),), _identity),
    Row("gaussian_noise", {"stddev": 0.5}, ((4, 5, 3),), _identity),
    Row("gaussian_noise", {"stddev": 0}, ((3,),), _identity),
    Row("gaussian_dropout", {"rate": 0.5}, ((4, 5, 3),), _identity),
    Row("gaussian_dropout", {"rate": 0}, ((3,),), _identity),
    Row("alpha_dropout", {"rate": 0.5}, ((4, 5, 3),), _identity),
    Row("alpha_dropout", {"rate": 0}, ((3,),), _identity),
]
