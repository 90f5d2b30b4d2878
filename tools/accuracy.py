#!/usr/bin/env python3
"""Accuracy of every estimator at few bits, beside float and PTQ: tools/accuracy.py SAMEBITS FOLDER [--seeds N] [--set KEY=VALUE]

For each model and seed: float training of as many epochs as float and QAT have together, what the best of `samebits ptq`
makes of it, and QAT with each estimator, all from the same float checkpoint. Writes FOLDER/methods.json for
tools/tables.py: the mean over seeds, least and greatest, and how many logits of the package differ from the training forward.
Runs go to FOLDER/runs. Exit: 0 done, 1 a run failed or a logit differed.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

FLOAT_EPOCHS, QAT_EPOCHS = 4, 2
DATA = "idx: /usr/share/datasets/fashion-mnist"
MODELS = {
    "cnn": f"""\
data: {{{DATA}, batch_size: 256}}
model: {{name: cnn, channels: [32, 64], hidden: 256}}
train: {{optimizer: {{lr: 2e-3}}, schedule: {{warmup_steps: 100}}}}
qat: {{optimizer: {{lr: 5e-4}}, observe_steps: 50}}
""",
    "resnet20": f"""\
data: {{{DATA}, batch_size: 128, train_limit: 20000, augment: {{flip: true}}}}
model: {{name: resnet20, width: 16}}
train: {{optimizer: {{lr: 4e-3}}, schedule: {{warmup_steps: 50}}}}
qat: {{optimizer: {{lr: 1e-3}}, observe_steps: 50}}
""",
}
BITS = (4, 3)  # of weights and activations, in every layer
ESTIMATORS = ("ste", "lsq", "lsq_plus", "pact", "dorefa", "ewgs")
PTQ = [["--range", rule, "--rounding", "gptq"] for rule in ("min_max", "percentile", "mse", "kl")]


class Failed(Exception):
    """A command that did not end as it should."""


class Trainer:
    """Runs of one program, in a folder of their own."""

    def __init__(self, samebits: Path, folder: Path, settings: list[str]):
        self.samebits, self.folder, self.settings = samebits.resolve(), folder, settings

    def call(self, *arguments: object) -> str:
        done = subprocess.run([self.samebits, *map(str, arguments)], capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"samebits {' '.join(map(str, arguments))}: expected exit code 0, got {done.returncode}\n{done.stderr}")
        return done.stdout

    def train(self, experiment: str, name: str, changes: dict) -> Path:
        config = self.folder / f"{name}.yaml"
        config.write_text(f"name: {name}\noutput: {self.folder}\n{experiment}")
        words = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
        words += [word for setting in self.settings for word in ("--set", setting)]
        print(f"training {name}", flush=True)
        self.call("train", config, *words)
        return (self.folder / name / "latest").resolve()

    def copy(self, run: Path, name: str, bits: int, estimator: str) -> Path:
        """The run with other bits and another estimator in its configuration."""
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(run, target)
        path = target / "config.resolved.yaml"
        text = re.sub(r"\bbits: \d+", f"bits: {bits}", path.read_text())
        text, count = re.subn(r"\bestimator: \w+", f"estimator: {estimator}", text)
        if count == 0:
            raise Failed(f"{path}: expected a key estimator, got none")
        path.write_text(text)
        return target

    def qat_of(self, run: Path, name: str, bits: int, estimator: str) -> dict:
        """QAT from the float checkpoint of `run`, as if it had been stopped there: its status."""
        target = self.copy(run, name, bits, estimator)
        shutil.copy(target / "checkpoints/fp32.safetensors", target / "checkpoints/last.safetensors")
        (target / "checkpoints/final.safetensors").unlink()
        shutil.rmtree(target / "export")
        (target / "export").mkdir()
        print(f"training {name}", flush=True)
        self.call("train", "--resume", target)
        return json.loads((target / "status.json").read_text())

    def best_ptq_of(self, run: Path, name: str, bits: int) -> float:
        target = self.copy(run, name, bits, "ste")
        print(f"quantizing {name}", flush=True)
        outputs = [self.call("ptq", target, *arguments) for arguments in PTQ]
        return max(float(re.search(r"^ptq\s+([\d.]+)", output, re.M)[1]) for output in outputs)


def results_of(trainer: Trainer, model: str, seed: int) -> dict[tuple[str, str], tuple[float, int, int]]:
    """By (bits, variant): accuracy, logits that differ, logits."""
    config, head = MODELS[model], f"{model}_seed{seed}"
    changes = {"seed": seed, "train.epochs": FLOAT_EPOCHS}
    first = {"qat.weight.bits": BITS[0], "qat.activation.bits": BITS[0]}
    # The fp32 checkpoint of this one is where all others begin.
    base = trainer.train(config, f"{head}_base", changes | first | {"qat.epochs": QAT_EPOCHS, "export": "[package]"})
    as_long = {"train.epochs": FLOAT_EPOCHS + QAT_EPOCHS, "qat.epochs": 0}
    longer = trainer.train(config, f"{head}_float", changes | first | as_long)
    accuracy = json.loads((longer / "status.json").read_text())["accuracy"]["fp32"]
    results = {("float", "float, as long"): (accuracy, 0, 0)}
    for bits in BITS:
        scheme = f"W{bits}A{bits}"
        results[scheme, "PTQ, best range, GPTQ"] = (trainer.best_ptq_of(longer, f"{head}_ptq{bits}", bits), 0, 0)
        for estimator in ESTIMATORS:
            status = trainer.qat_of(base, f"{head}_w{bits}a{bits}_{estimator}", bits, estimator)
            verified = status["verify"]
            results[scheme, f"QAT, {estimator}"] = (
                status["accuracy"]["exported"], verified["differing"]["package"], verified["logits"]
            )
    return results


def machine_of(folder: Path) -> str:
    env = json.loads(next(folder.rglob("env.json")).read_text())
    return f"{env['processor']}, {' '.join(env['features'])}, {env['threads']} threads, LibTorch {env['libtorch']}"


def rows_of(model: str, by_seed: list[dict], machine: str) -> list[dict]:
    rows = []
    reference = statistics.mean(results["float", "float, as long"][0] for results in by_seed)
    for scheme, variant in by_seed[0]:
        found = [results[scheme, variant] for results in by_seed]
        accuracies = [accuracy for accuracy, _, _ in found]
        mean = statistics.mean(accuracies)
        logits = sum(count for _, _, count in found)
        columns = {
            "least to greatest": f"{min(accuracies):.2f} to {max(accuracies):.2f} % of {len(found)} seeds",
            "against float": f"{mean - reference:+.2f}",
            "logits that differ": f"{sum(wrong for _, wrong, _ in found):,} of {logits:,}" if logits else "",
        }
        rows.append({"case": f"{model}, {scheme}" if scheme != "float" else model, "variant": variant,
                     "metric": "test accuracy", "value": round(mean, 2), "unit": "%", "reference": "float, as long",
                     "ratio": None, "machine": machine, "columns": columns})  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samebits", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every run, as samebits train has it")
    arguments = parser.parse_args()
    runs = arguments.folder.resolve() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(arguments.samebits, runs, arguments.set)
    rows, wrong = [], 0
    try:
        for model in arguments.models:
            by_seed = [results_of(trainer, model, seed) for seed in range(arguments.seeds)]
            wrong += sum(differing for results in by_seed for _, differing, _ in results.values())
            rows += rows_of(model, by_seed, machine_of(runs))
    except Failed as error:
        print(f"error: [accuracy] {error}", file=sys.stderr)
        return 1
    (arguments.folder / "methods.json").write_text(json.dumps(rows, indent=2) + "\n")
    print(f"{wrong} logits differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
