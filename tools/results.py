#!/usr/bin/env python3
"""Trains the experiments of the README's table and collects what they measured: tools/results.py SAMEBITS FOLDER

Runs `SAMEBITS train` for each configuration of EXPERIMENTS, reads status.json and metrics.jsonl of the run, and
writes results.json and make_train.txt (what the first run printed) for tools/tables.py. Exit: 0 done, 1 a run failed
or an exported file differed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

# A configuration, and what is changed in it: the run's name too, then. Of the changed ones accuracy and bits are wanted;
# `make bench NAME=step` has their times.
EXPERIMENTS = (
    ("fashion_mnist_cnn_int8", {}),
    ("fashion_mnist_cnn_w4a8", {}),
    ("fashion_mnist_mlp_int8", {}),
    ("fashion_mnist_cnn_int8", {"name": "cnn_int8_backward_bf16", "qat.backward": "bf16"}),
    ("fashion_mnist_cnn_int8", {"name": "cnn_int8_backward_int8", "qat.backward": "int8"}),
)
VARIANTS = (("FP32", "fp32"), ("PTQ", "ptq"), ("QAT", "qat"), ("exported", "exported"))


def median_step_ms(run: Path, phases: tuple[str, ...]) -> float:
    """The fastest epoch's median step in these phases."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return min(r["step_ms"] for r in records if r["kind"] == "epoch" and r["phase"] in phases)


def rows_of(name: str, run: Path, with_time: bool) -> list[dict]:
    status = json.loads((run / "status.json").read_text())
    env = json.loads((run / "env.json").read_text())
    machine = f"{env['processor']}, {' '.join(env['features'])}, {env['threads']} threads, LibTorch {env['libtorch']}"

    def row(variant: str, metric: str, value: float, unit: str, reference: str | None, ratio: float | None) -> dict:
        return {"case": name, "variant": variant, "metric": metric, "value": value, "unit": unit,
                "reference": reference, "ratio": ratio, "machine": machine}

    rows = [row(label, "test accuracy", status["accuracy"][key], "%", None, None) for label, key in VARIANTS]
    if with_time:
        fp32 = median_step_ms(run, ("fp32",))
        qat = median_step_ms(run, ("quantizing", "frozen"))
        rows.append(row("QAT", "training step", qat, "ms", "FP32 step", qat / fp32))
    for target, differing in status["verify"]["differing"].items():
        rows.append(row(target, "differing logits", differing, f"of {status['verify']['logits']:,}", None, None))
    return rows


def main() -> int:
    samebits, folder = Path(sys.argv[1]), Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, (config, changes) in enumerate(EXPERIMENTS):
        name = changes.get("name", config)
        settings = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        command = [samebits, "train", f"configs/{config}.yaml", *settings]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        print(done.stdout, end="")
        if done.returncode != 0:
            print(f"error: [results] {name}: expected exit code 0 of train, got {done.returncode}", file=sys.stderr)
            return 1
        if number == 0:
            (folder / "make_train.txt").write_text(done.stdout.replace(f"{Path.cwd()}/", ""))
        rows += rows_of(name, Path("runs") / name / "latest", with_time=not changes)
    (folder / "results.json").write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
