"""Keras's ``summary()`` counts parameters and no operations: all weights, batch normalisation's moving averages among
them, each once."""

from __future__ import annotations

from archspec.analysis.conventions import Piece, Terms

CALLS = "Total params"
SOURCE = "https://keras.io/api/models/model/#summary-method"
COUNTS_LAST = True


def terms(piece: Piece) -> Terms:
    """Scalars of the weights."""
    return [
        ("Trainable params", piece.trainable),
        ("Non-trainable params", sum(w.size for w in piece.weights) - piece.trainable),
    ]
