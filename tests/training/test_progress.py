"""Lines of progress fit a terminal, whatever there is to say."""

import pytest

from archspec.training.progress import duration, epoch_line

FIGURES = {"loss": 0.25, "accuracy": 0.91, "val_loss": 0.5, "val_accuracy": 0.875}


def test_all_is_said_where_there_is_room():
    line = epoch_line(3, 20, FIGURES, "812 images/s", 45, done=0.5, width=200)
    assert line == (
        "epoch 3/20 ━━━━━━━━━━            loss 0.2500  accuracy 0.9100  val_loss 0.5000  val_accuracy 0.8750"
        "  812 images/s  45 s left"
    )


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120])
@pytest.mark.parametrize("done", [None, 0.0, 1.0])
def test_no_line_is_wider_than_the_terminal(width, done):
    many = {f"{head}_{name}": 1234.5 for head in ("main", "auxiliary") for name in FIGURES}
    for figures in ({}, FIGURES, many):
        line = epoch_line(100, 100, figures, "12345 sequences/s", 86400, done=done, width=width)
        assert len(line) < width and line.startswith("epoch 100/100")


def test_figures_stay_longest():
    def line(width):
        return epoch_line(3, 20, FIGURES, "812 images/s", 45, done=0.5, width=width)

    figures = "loss 0.2500  accuracy 0.9100  val_loss 0.5000  val_accuracy 0.8750"
    assert line(110) == f"epoch 3/20  {figures}  812 images/s  45 s left"
    assert line(90) == f"epoch 3/20  {figures}  45 s left"
    assert line(80) == f"epoch 3/20  {figures}"
    assert line(70) == "epoch 3/20  loss 0.2500  accuracy 0.9100  val_loss 0.5000  …"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119.4, "119 s"), (120, "2 min 00 s"), (7199, "119 min 59 s"), (7260, "2 h 01 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
