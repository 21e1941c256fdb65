"""Columns of a table go by their headings, and numbers of any scale are brought to one, by the training rows."""

import json

import numpy as np
import pytest
import yaml

from archspec.cli import main

SPEC = """
archspec: 1
name: houses
inputs: {x: [4]}
body: [dropout: 0.0]
heads:
  main: {body: [dense: 1], loss: mse}
"""
RUN = """
archspec_run: 1
spec: houses.yaml
data: {csv: {path: houses.csv, target: price}}
augment: [normalize: {mean: data, std: data}]
train: {task: regression, optimizer: {adam: 0.1}, epochs: 25, batch: 20}
"""
HEAD = ("area", "rooms", "age", "floor")


def houses(count, seed):
    """Area in square metres, rooms, age in years, a floor that is always the same, and a price that follows from the
    first three."""
    draw = np.random.default_rng(seed)
    rows = [draw.uniform(40, 250, count), draw.integers(1, 8, count), draw.uniform(0, 100, count), np.full(count, 0.1)]
    area, rooms, age, _ = rows
    return np.stack([*rows, 50_000 + 2_000 * area + 9_000 * rooms - 700 * age], 1)


def write(path, names, rows, order):
    lines = [",".join(repr(float(row[k])) for k in order) for row in rows]
    path.write_text("\n".join([",".join(names[k] for k in order), *lines]) + "\n")


@pytest.mark.tensorflow
@pytest.mark.slow
def test_a_table_is_learnt_and_read_by_its_headings(tmp_path, capsys):
    names, rows, new = (*HEAD, "price"), houses(200, 0), houses(20, 1)
    (tmp_path / "houses.yaml").write_text(SPEC)
    (tmp_path / "run.yaml").write_text(RUN)
    write(tmp_path / "houses.csv", names, rows, range(5))
    logdir = tmp_path / "out"
    assert main(["train", str(tmp_path / "run.yaml"), "--logdir", str(logdir), "--quiet", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["r2"] > 0.9

    # What was fitted stands in the record, as NumPy has it of the rows; what never changes is divided by 1.
    record = yaml.safe_load((logdir / "run.yaml").read_text())
    (said,) = (step["normalize"] for step in record["augment"])
    assert record["evaluate"]["transforms"] == record["augment"]
    assert said["mean"] == pytest.approx(rows[:, :4].mean(0).tolist(), rel=0.1)
    assert said["std"][:3] == pytest.approx(rows[:, :3].std(0).tolist(), rel=0.1) and said["std"][3] == 1.0

    def predicted(path):
        code = main(["predict", str(logdir), str(path), "--format", "json"])
        out, err = capsys.readouterr()
        return code, [r["numbers"]["price"] for r in json.loads(out)] if out.strip() else None, err

    write(tmp_path / "same.csv", names, new, range(4))
    code, want, err = predicted(tmp_path / "same.csv")
    assert code == 0 and err == "" and len(want) == 20
    assert np.corrcoef(want, new[:, 4])[0, 1] ** 2 > 0.9
    assert np.abs(np.array(want) - new[:, 4]).mean() < 0.25 * new[:, 4].std()

    # In another order, with the price and a column of words besides: the same.
    write(tmp_path / "other.csv", names, new, (3, 2, 4, 1, 0))
    lines = (tmp_path / "other.csv").read_text().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(f"{'town' if not i else 'Bern'},{x}" for i, x in enumerate(lines)))
    assert predicted(tmp_path / "other.csv") == (0, want, "")

    # Without headings by order, which is said; the first row is a row.
    (tmp_path / "bare.csv").write_text((tmp_path / "same.csv").read_text().split("\n", 1)[1])
    code, found, err = predicted(tmp_path / "bare.csv")
    assert code == 0 and found == want
    assert "bare.csv: it has no headings; its columns are taken in their order for area, rooms, age, floor" in err

    write(tmp_path / "less.csv", names, new, (0, 1, 3, 4))
    code, found, err = predicted(tmp_path / "less.csv")
    assert code == 1 and found is None
    assert "less.csv has no column 'age'; it has area, rooms, floor, price" in err
    (tmp_path / "few.csv").write_text("1,2,3\n")
    assert "few.csv has 3 columns without headings, the network reads 4 numbers" in predicted(tmp_path / "few.csv")[2]

    # Other data are evaluated by their headings, too.
    def evaluated(order):
        write(tmp_path / "given.csv", names, new, order)
        assert main(["evaluate", str(logdir), "--data", str(tmp_path / "given.csv"), "--format", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    first = evaluated(range(5))
    assert first["mae"] == pytest.approx(np.abs(np.array(want) - new[:, 4]).mean(), abs=1)
    for order in ((4, 3, 2, 1, 0), (1, 0, 4, 3, 2)):
        assert evaluated(order)["mae"] == pytest.approx(first["mae"], rel=1e-6)
    # The run's own table may have been written anew.
    assert main(["evaluate", str(logdir), "--format", "json"]) == 0
    own = json.loads(capsys.readouterr().out)["mae"]
    write(tmp_path / "houses.csv", names, rows, (4, 1, 0, 3, 2))
    assert main(["evaluate", str(logdir), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["mae"] == pytest.approx(own, rel=1e-6)
