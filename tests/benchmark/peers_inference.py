#!/usr/bin/env python3
"""Our runtime against ONNX Runtime: tests/benchmark/peers_inference.py BENCHMARK_INFERENCE --json FILE

Runs the program BENCHMARK_INFERENCE (ours and LibTorch; it also exports the ONNX file of the network), then ONNX
Runtime on the same network with 2 threads, in turn, and keeps each variant's least time. ONNX Runtime gets each of its
INT8 forms: dynamic quantization, QDQ of MatMul, QDQ of Gemm; the target is against the fastest. FILE gets the rows of
tools/tables.py. Exit: 0 done, 2 wrong use, 3 a package is missing.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

try:
    import numpy
    import onnx
    import onnxruntime
    from onnxruntime import quantization
except ImportError as missing:
    print(f"error: [inference] {missing.name}: not installed here; pip install -r requirements.txt", file=sys.stderr)
    sys.exit(3)

BLOCKS, WIDTH, HIDDEN = 4, 768, 3072
THREADS = 2
FP32, OURS = "LibTorch fp32", "samebits int8"
OUR_FILE = "ORT, our ONNX file"
# tokens: (how many runs are timed in a turn, how much slower the fastest INT8 form of ONNX Runtime should be)
CASES = {1024: (5, 3.0), 128: (20, 1.5), 1: (100, 1.2)}
TURNS = 3


def float_model(gemm: bool) -> onnx.ModelProto:
    """The network with random weights, each layer as Gemm or as MatMul and Add: quantizers treat them differently."""
    random = numpy.random.default_rng(0)
    nodes, weights, value = [], [], "x"
    for i in range(2 * BLOCKS):
        rows, columns = (WIDTH, HIDDEN) if i % 2 == 0 else (HIDDEN, WIDTH)
        weight = random.standard_normal((rows, columns), dtype=numpy.float32) / numpy.float32(rows**0.5)
        bias = random.standard_normal(columns, dtype=numpy.float32) * numpy.float32(0.1)
        weights += [onnx.numpy_helper.from_array(weight, f"w{i}"), onnx.numpy_helper.from_array(bias, f"b{i}")]
        if gemm:
            nodes.append(onnx.helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"y{i}"], f"gemm{i}"))
        else:
            nodes.append(onnx.helper.make_node("MatMul", [value, f"w{i}"], [f"p{i}"], f"matmul{i}"))
            nodes.append(onnx.helper.make_node("Add", [f"p{i}", f"b{i}"], [f"y{i}"], f"add{i}"))
        value = f"y{i}"
        if i % 2 == 0:
            nodes.append(onnx.helper.make_node("Relu", [value], [f"r{i}"], f"relu{i}"))
            value = f"r{i}"
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", WIDTH]) for name in ("x", value)
    ]
    graph = onnx.helper.make_graph(nodes, "ffn", ends[:1], ends[1:], weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)


class Calibration(quantization.CalibrationDataReader):
    """Four batches of 256 tokens, as our network is calibrated."""

    def __init__(self):
        random = numpy.random.default_rng(1)
        self.batches = [random.standard_normal((256, WIDTH), dtype=numpy.float32) for _ in range(4)]

    def get_next(self):
        return {"x": self.batches.pop()} if self.batches else None


def make_models(folder: Path) -> dict[str, Path]:
    """ONNX Runtime's own forms of the network, by variant."""
    logging.getLogger().setLevel(logging.ERROR)  # its pre-processing would turn MatMul and Add into Gemm
    matmul, gemm = folder / "matmul.onnx", folder / "gemm.onnx"
    onnx.save(float_model(gemm=False), matmul)
    onnx.save(float_model(gemm=True), gemm)
    paths = {name: folder / f"{name}.onnx" for name in ("dynamic", "qdq_matmul", "qdq_gemm")}
    quantization.quantize_dynamic(matmul, paths["dynamic"], weight_type=quantization.QuantType.QInt8, per_channel=True)
    for source, name in ((matmul, "qdq_matmul"), (gemm, "qdq_gemm")):
        quantization.quantize_static(
            source,
            paths[name],
            Calibration(),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
        )
    return {
        "ORT fp32": gemm,
        "ORT int8 dynamic": paths["dynamic"],
        "ORT int8 QDQ MatMul": paths["qdq_matmul"],
        "ORT int8 QDQ Gemm": paths["qdq_gemm"],
    }


def open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def least_seconds(session: onnxruntime.InferenceSession, x: numpy.ndarray, runs: int) -> float:
    """Runs in a block: a session's threads spin for a while after a run and would slow down another's."""
    name, least = session.get_inputs()[0].name, float("inf")
    for run in range(runs + 2):
        begin = time.perf_counter()
        session.run(None, {name: x})
        if run >= 2:
            least = min(least, time.perf_counter() - begin)
    return least


def case_name(tokens: int) -> str:
    return f"{tokens} token{'' if tokens == 1 else 's'}"


def keep_least(times: dict, key: tuple[str, str], milliseconds: float) -> None:
    times[key] = min(times.get(key, float("inf")), milliseconds)


def measure(program: Path, folder: Path) -> tuple[dict[tuple[str, str], float], str]:
    """Milliseconds by (case, variant), and the machine."""
    times, machine, sessions = {}, "", {}
    for _ in range(TURNS):
        # OpenMP's threads, which LibTorch leaves spinning behind each call, would take a core from what comes next.
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        subprocess.run(
            [program, "--json", folder / "ours.json"], check=True, stdout=subprocess.DEVNULL, env=environment
        )
        for row in json.loads((folder / "ours.json").read_text(encoding="utf-8")):
            keep_least(times, (row["case"], row["variant"]), row["value"])
            machine = row["machine"]
        if not sessions:
            models = make_models(folder) | {OUR_FILE: folder / "ours.onnx"}
            sessions = {variant: open_session(path) for variant, path in models.items()}
        for tokens, (runs, _) in CASES.items():
            x = numpy.random.default_rng(2).standard_normal((tokens, WIDTH), dtype=numpy.float32)
            for variant, session in sessions.items():
                keep_least(times, (case_name(tokens), variant), 1e3 * least_seconds(session, x, runs))
    return times, f"{machine}, ONNX Runtime {onnxruntime.__version__}"


def rows_of(times: dict[tuple[str, str], float], machine: str) -> list[dict]:
    rows = []
    for tokens, (_, target) in CASES.items():
        case = case_name(tokens)
        of_case = {variant: value for (name, variant), value in times.items() if name == case}
        ours, fp32 = of_case[OURS], of_case[FP32]
        best = min(value for variant, value in of_case.items() if variant.startswith("ORT int8"))
        for variant, value in of_case.items():
            columns = {f"{FP32} / this": f"{fp32 / value:.2f}x", "this / samebits": f"{value / ours:.2f}x"}
            if variant == OURS:
                columns |= {
                    "best ORT int8 / samebits": f"{best / ours:.2f}x",
                    "target": f">= {target:g}x",
                    "reached": "yes" if best / ours >= target else "no",
                }
            row = {"case": case, "variant": variant, "metric": "time", "value": value, "unit": "ms"}
            rows.append(row | {"reference": FP32, "ratio": value / fp32, "machine": machine, "columns": columns})
    return rows


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/benchmark/peers_inference.py")
    parser.add_argument("program", type=Path, metavar="BENCHMARK_INFERENCE")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(*measure(options.program.resolve(), Path(folder)))
    for row in rows:
        columns = "; ".join(f"{heading} {text}" for heading, text in row["columns"].items())
        print(f"{row['case']:<14}{row['variant']:<24}{row['value']:10.3f} ms  {columns}")
    options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
