"""What ImageNet's weights are worth on ten classes of small photographs: the table of docs/training.md.

    python tools/transfer.py DATA --each 200 --scratch 18

DATA holds cifar10/*.zip and w_squeezenet_dc/ (see tests/training/transfer.py). Four runs on one thread each: all layers
but the last frozen, features kept; the network from random weights; and, over fewer epochs, the first again, which
finds its features, and without keeping any. CPU seconds are of whole processes, starts included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.training.transfer import ZIPS, write_photos, write_weights  # noqa: E402

SCRATCH = """
archspec_run: 1
spec: squeezenet1_0
set: {size: 64, classes: 10}
augment: [resize: 64, mirror, normalize: {mean: [123, 117, 104], std: 58}]
train: {optimizer: {adam: 0.0005}, schedule: cosine, warmup: 1, epochs: 18, batch: 32}
"""


def main() -> int:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("--each", type=int, default=200, help="images of each class, to train on and to test")
    parser.add_argument("--scratch", type=int, default=18, help="epochs from random weights; 0 leaves it out")
    parser.add_argument("--short", type=int, default=3, help="epochs without features kept")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = write_photos({s: args.data / f for s, f in ZIPS.items()}, folder / "photos.npz", each=args.each)
        weights = write_weights(args.data / "w_squeezenet_dc/compressed_SqueezeNet.net", folder / "squeezenet.npz")
        transfer = ROOT / "specs/runs/classification/squeezenet_transfer.yaml"
        plain = folder / "plain.yaml"
        plain.write_text(transfer.read_text().replace("cache_features: true", "cache_features: false"))
        scratch = folder / "scratch.yaml"
        scratch.write_text(SCRATCH)
        rows: list[tuple[str, Path, list[object]]] = [("frozen, features kept", transfer, ["--from", weights])]
        if args.scratch:
            rows.append(("from random weights", scratch, ["--epochs", args.scratch]))
        rows += [
            ("frozen, features found", transfer, ["--from", weights, "--epochs", args.short]),
            ("frozen, nothing kept", plain, ["--from", weights, "--epochs", args.short]),
        ]
        print("| run | epochs | accuracy | CPU seconds |\n|---|---|---|---|")
        for number, (title, run, flags) in enumerate(rows):
            epochs, accuracy, seconds = trained([run, "--data", photos, *flags], folder, folder / str(number))
            print(f"| {title} | {epochs} | {accuracy:.4f} | {seconds:.0f} |", flush=True)
    return 0


def trained(arguments: list[object], folder: Path, logdir: Path) -> tuple[int, float, float]:
    """Epochs, accuracy and CPU seconds of a run in a process of its own."""
    one = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "archspec", "train", *arguments, "--logdir", logdir, "--quiet"]
    subprocess.run(
        [str(part) for part in command],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **one, "TF_CPP_MIN_LOG_LEVEL": "3", "ARCHSPEC_CACHE": str(folder / "cache")},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = json.loads((logdir / "result.json").read_text())
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result["epochs"], result["metrics"]["accuracy"], seconds


if __name__ == "__main__":
    sys.exit(main())
