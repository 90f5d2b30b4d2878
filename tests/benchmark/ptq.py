#!/usr/bin/env python3
"""Accuracy after post-training quantization, by method and bits: tests/benchmark/ptq.py SAMEBITS --json FILE

Trains the float model of each configuration once (qat.epochs: 0), then runs `SAMEBITS ptq` for each method and width of
the weights, and reads what it prints. Every row's files were proven to give the model's bits, or the script fails. Exit:
0 done, 1 a command failed.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CONFIGS = ("fashion_mnist_cnn_int8", "fashion_mnist_mlp_int8")
BITS = (8, 4, 3, 2)
# The first is what torch.ao's default does: minimum and maximum, nearest codes.
METHODS = {
    "min/max, nearest": [],
    "min/max, nearest, bias correction": ["--correct-bias"],
    "squared error, nearest": ["--range", "mse"],
    "KL divergence, nearest": ["--range", "kl"],
    "percentile 99.99, nearest": ["--range", "percentile", "--percentile", "0.9999"],
    "min/max, GPTQ": ["--rounding", "gptq"],
    "squared error, GPTQ, bias correction": ["--range", "mse", "--rounding", "gptq", "--correct-bias"],
}


def run(*command: object) -> str:
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"error: [ptq] {' '.join(map(str, command))}: expected exit code 0, got {done.returncode}")
    return done.stdout


def trained(samebits: Path, config: str) -> Path:
    """A float run of the configuration, trained when there is none yet."""
    name = f"{config}_float"
    latest = Path("runs") / name / "latest"
    if not (latest / "checkpoints" / "final.safetensors").exists():
        run(samebits, "train", f"configs/{config}.yaml", "--set", f"name={name}", "--set", "qat.epochs=0")
    return latest


def score(output: str, name: str) -> float:
    return float(re.search(rf"^{name} +([\d.]+)%$", output, re.MULTILINE)[1])


def rows_of(samebits: Path, config: str) -> list[dict]:
    folder = trained(samebits, config)
    env = json.loads((folder / "env.json").read_text())
    machine = f"{env['processor']}, {' '.join(env['features'])}, {env['threads']} threads, LibTorch {env['libtorch']}"
    rows = []
    for bits in BITS:
        for method, options in METHODS.items():
            with tempfile.TemporaryDirectory() as out:
                output = run(samebits, "ptq", folder, "--weight-bits", bits, "--out", f"{out}/ptq", *options)
            fp32, ptq = score(output, "fp32"), score(output, "ptq")
            print(f"{config} W{bits}A8  {method}: {ptq:.2f}% (FP32 {fp32:.2f}%)", flush=True)
            rows.append({"case": f"{config.removesuffix('_int8')} W{bits}A8", "variant": method,
                         "metric": "test accuracy", "value": ptq, "unit": "%", "reference": f"FP32 {fp32:.2f} %",
                         "ratio": None, "machine": machine})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samebits", type=Path)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    rows = [row for config in CONFIGS for row in rows_of(arguments.samebits, config)]
    arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
