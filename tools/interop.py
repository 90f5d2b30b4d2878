#!/usr/bin/env python3
"""interop.py SAMEBITS FOLDER [--quick]: which format gives which bits, model by model.

Trains each model of MODELS, exports it in every format, and counts what differs from the training forward: what `SAMEBITS
verify` can run, and QDQ in OpenVINO beside the package on random inputs. Writes FOLDER/interop.json for tools/tables.py.
A format that cannot hold a model is a row that says so. --quick: an epoch of each phase. Exit: 0 done, 1 a run failed or
a file that promises bits differs.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests" / "python"), str(ROOT / "python")]

MODELS = {
    "mlp": "fashion_mnist_mlp_int8",
    "cnn": "fashion_mnist_cnn_int8",
    "cnn, 4-bit weights": "fashion_mnist_cnn_w4a8",
    "resnet20": "fashion_mnist_resnet20",
    "mobilenet": "fashion_mnist_mobilenet",
    "gru": "fashion_mnist_gru",
    "lstm": "kjv_lstm",
    "transformer": "digits_transformer",
    "gpt": "kjv_gpt",
}
FORMATS = ("package", "onnx", "onnx_qdq", "onnx_tensorrt", "safetensors", "compressed_tensors", "gguf", "npz", "c_header")
RANDOM_ROWS = 256


class Failed(Exception):
    """A command that ended with another code than it may."""


def run(samebits: Path, *arguments, codes=(0,)) -> subprocess.CompletedProcess:
    done = subprocess.run([samebits, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode not in codes:
        raise Failed(f"{arguments[0]}: expected exit code {codes}, got {done.returncode}: {done.stderr[-500:]}")
    return done


def openvino_difference(export: Path) -> tuple[int, int, float]:
    """Of random inputs: elements, how many differ from the package's, by how much at most."""
    import numpy
    import onnx
    import qdq_cases
    import torch

    import samebits as package

    path, random = export / "model.qdq.onnx", torch.Generator().manual_seed(7)
    inputs = {}
    for value in onnx.load(path).graph.input:
        sizes = [dim.dim_value or {"sequence": 16}.get(dim.dim_param, RANDOM_ROWS) for dim in value.type.tensor_type.shape.dim]
        is_float = value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        x = torch.randn(sizes, generator=random) if is_float else torch.randint(0, 16, sizes, generator=random)
        inputs[value.name] = x
    expected = package.load(export / "model.samebits")(*inputs.values()).numpy()
    [got] = qdq_cases.run_openvino(path, {name: x.numpy() for name, x in inputs.items()})
    return expected.size, int((got != expected).sum()), float(numpy.abs(got.astype(numpy.float64) - expected).max())


def last_line(done: subprocess.CompletedProcess) -> str:
    return done.stderr.strip().splitlines()[-1].removeprefix("error: ")


def row_of(model: str, variant: str, metric: str, value, unit: str) -> dict:
    return {"case": model, "variant": variant, "metric": metric, "value": value, "unit": unit, "reference": None, "ratio": None,
            "machine": ""}  # fmt: skip


def rows_of(model: str, status: dict, found: dict, refused: dict[str, str], openvino) -> list[dict]:
    rows = []

    def add(variant: str, metric: str, value, unit: str) -> None:
        rows.append(row_of(model, variant, metric, value, unit))

    metric, scores = next((key, value) for key, value in status.items() if isinstance(value, dict) and "exported" in value)
    add("package", metric, scores["exported"], "")
    for target, count in found["differing"].items():
        add(target, "differing logits", count, f"of {found['logits']:,}")
    for target, count in found.get("differing_float", {}).items():
        add(target, "more by float layers", count, f"of {found['logits']:,}")
    for target, each in found.get("inexact", {}).items():
        add(target, "logits that differ, in ONNX Runtime", each["differing_logits"], f"of {found['logits']:,}")
        add(target, "largest difference", each["largest_difference"], "")
        add(target, "codes that differ", each["differing_codes"], f"of {each['codes']:,}")
        add(target, "largest difference of codes", each["largest_code_difference"], "")
        add(target, "images decided otherwise", each["other_decisions"], f"of {found['images']:,}")
    if openvino is not None:
        add("onnx_qdq", "logits that differ, in OpenVINO", openvino[1], f"of {openvino[0]:,}")
        add("onnx_qdq", "largest difference, in OpenVINO", openvino[2], "")
    for target, reason in refused.items():
        add(target, f"refused: {reason}", 0, "")
    return rows


def rows_of_model(samebits: Path, model: str, config: str, quick: bool, with_openvino: bool) -> list[dict]:
    name = f"interop_{config}"
    settings = [f"name={name}"] + (["train.epochs=1", "qat.epochs=1"] if quick else ["qat.epochs=2"])
    words = [word for each in settings for word in ("--set", each)]
    trained = run(samebits, "train", ROOT / "configs" / f"{config}.yaml", *words, codes=(0, 2))
    if trained.returncode == 2:
        return [row_of(model, "training", f"refused: {last_line(trained)}", 0, "")]
    folder = (Path("runs") / name / "latest").resolve()
    refused = {}
    for format in FORMATS:
        done = run(samebits, "export", folder, "--format", format, codes=(0, 2))
        if done.returncode == 2:
            refused[format] = last_line(done)
    run(samebits, "verify", folder, "--json", folder / "interop.json")
    openvino = openvino_difference(folder / "export") if with_openvino else None
    found, status = (json.loads((folder / file).read_text()) for file in ("interop.json", "status.json"))
    rows = rows_of(model, status, found, refused, openvino)
    env = json.loads((folder / "env.json").read_text())
    for row in rows:
        row["machine"] = f"{env['processor']}, {' '.join(env['features'])}, {env['threads']} threads, LibTorch {env['libtorch']}"
    return rows


def main() -> int:
    samebits, folder, quick = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), "--quick" in sys.argv[3:]
    folder.mkdir(parents=True, exist_ok=True)
    import format_packages

    packages = ROOT / "build" / "formats"
    why = format_packages.install(packages)
    if why:
        print(f"interop: without OpenVINO: {why}", file=sys.stderr)
    sys.path.append(str(packages))
    rows = []
    for model, config in MODELS.items():
        try:
            rows += rows_of_model(samebits, model, config, quick, with_openvino=not why)
        except Failed as failed:
            print(f"error: [interop] {model}: {failed}", file=sys.stderr)
            return 1
        print(f"{model}: done", flush=True)
    (folder / "interop.json").write_text(json.dumps(rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
