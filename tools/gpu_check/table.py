"""Tables for the documentation out of a run's gpu_check.json: rows for tools/tables.py, which puts them where their names are
marked. Short ones for docs/cuda.md, whole ones for docs/results/cuda.md."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What docs/cuda.md tells, by the beginning of a case and by variant; of a case that a run lacks, nothing.
SHORT = [
    ("elementwise, 2^27 float32", ("fake_quantize", "quantize", "observe_quantize")),
    ("linear 4096 x 4096 x 4096", ("linear", "linear.encoded, graph", "_int_mm")),
    ("linear 4096 x 768 x 768", ("linear", "linear.encoded, graph")),
    ("conv2d 64 x 64 x 56", ("conv2d.encoded, graph", "bf16, NCHW, graph")),
    ("conv2d 64 x 256 x 14", ("conv2d.encoded, graph", "bf16, NCHW, graph")),
    ("conv2d 64 x 256 x 56", ("conv2d.encoded, graph", "bf16, NCHW, graph")),
    ("conv2d 64 x 3 x 112", ("conv2d.encoded, graph", "bf16, NCHW, graph")),
    ("conv2d 64 x 96 x 56", ("conv2d.encoded, graph", "bf16, NCHW, graph", "float_conv2d")),
    ("training step, FFN 4096", ("ours, f32 backward", "ours, bf16 backward", "simulated, bf16 autocast")),
    ("training step, CNN 1-32-64", ("ours, f32 backward", "ours, bf16 backward", "ours, bf16 backward, graph", "fp32")),
    ("training step, CNN 64-64-64-64", ("ours, f32 backward", "ours, bf16 backward", "ours, bf16 backward, graph", "fp32")),
    ("1 x 4096 x 4096, 4 bits, groups of 128", ("linear_int4", "linear_weight_only bf16")),
]
REFERENCES = {"bandwidth": "copy", "rate": "bf16", "time": "bf16 autocast"}


def machine_of(facts: dict) -> str:
    """'NVIDIA H200, 580.159.04, 143771 MiB, 1980 MHz' and the versions, as a table's last line."""
    card, driver, memory, *_ = facts["card"].split(", ")
    torch, cuda, *_ = facts["torch"].split()
    return f"{card} ({memory}), driver {driver}, CUDA {cuda}, PyTorch {torch}, `tools/gpu_check`"


def row(machine: str, case: str, variant: str, metric: str, value: float, unit: str, **others) -> dict:
    return {"case": case, "variant": variant, "metric": metric, "value": value, "unit": unit,
            "reference": others.get("reference"), "ratio": others.get("ratio"), "machine": machine,
            **({"columns": others["columns"]} if "columns" in others else {})}


def checked(report: dict, machine: str) -> list[dict]:
    """A row a kind of check: how many, and what was not as it should be."""
    parts, rows = report["parts"], []

    def add(what: str, how: str, count: int, of: str, wrong: str):
        rows.append(row(machine, what, how, "count", count, of, columns={"differing or failed": wrong}))

    suites = parts.get("suites", {})
    if "tests" in suites:
        add("kernels", "the emulator's tests", suites["passed"], "tests", f"{suites['tests'] - suites['passed']} of {suites['tests']}")
    modules = parts.get("modules", {})
    if "tests" in modules:
        add("modules", "against the CPU, and a step as one graph", modules["passed"], "tests", f"{modules['tests'] - modules['passed']} of {modules['tests']}")
    found = [each for part in parts.values() for each in part.get("rows", []) if "part" in each]
    kinds = {"bits": ("operators", "against the CPU, bit by bit"), "gradients": ("gradients of layers", "against the CPU"),
             "waits": ("calls", "nothing waits for the device"), "capture": ("calls", "captured in a CUDA graph"),
             "opcheck": ("calls", "`torch.library.opcheck`")}
    for kind, (what, how) in kinds.items():
        of_kind = [each for each in found if each["part"] == kind]
        if not of_kind:
            continue
        elements = sum(each.get("elements", 0) for each in of_kind)
        differing = sum(each.get("differing", 0) for each in of_kind)
        failed = sum(each["state"] in ("failed", "waits") or (each["state"] == "differs" and "differing" not in each) for each in of_kind)
        told = [f"{differing:,} of {elements:,} elements"] if elements else []
        add(what, how, len(of_kind), "cases", ", ".join(told + ([f"{failed} cases"] if failed or not elements else [])))
    left_out = sum(int(each["detail"]) for each in found if each["state"] == "left out")
    if left_out:
        add("operators", "had no time", left_out, "cases", "")
    tools: dict[str, list[dict]] = {}
    for each in parts.get("sanitizers", {}).get("rows", []):
        tools.setdefault(each["tool"], []).append(each)
    for tool, of_tool in tools.items():
        states = Counter(each["state"] for each in of_tool)
        wrong = sum(count for state, count in states.items() if not state.startswith("clean"))
        add("kernels", f"compute-sanitizer, {tool}", sum(each.get("tests", 0) for each in of_tool), "tests", f"{wrong} of {len(of_tool)} suites")
    return rows


def measured(report: dict, machine: str) -> dict[str, list[dict]]:
    """Rows of every benchmark, by the table that they belong to."""
    tables: dict[str, list[dict]] = {}
    for part in report["parts"].values():
        for each in part.get("rows", []):
            if "metric" not in each or each["metric"] == "error" or (each["metric"] == "kernel" and each["value"] < 0.5):
                continue
            name = table_of(each)
            columns = None
            if "ms" in each:
                columns = {"time": f"{each['ms']:.3g} ms ({each['least_ms']:.3g} to {each['greatest_ms']:.3g})"}
            elif "least_ms" in each:
                columns = {"least and most": f"{each['least_ms']:.3g} to {each['greatest_ms']:.3g} ms"}
            reference = REFERENCES.get(each["metric"])
            if columns is not None:
                columns[f"/ {reference}"] = "" if each["ratio"] is None else f"{each['ratio']:.2f}x"
            tables.setdefault(name, []).append(row(
                machine, each["case"], variant_of(each), each["metric"], each["value"], each["unit"],
                reference=reference, ratio=each["ratio"], **({"columns": columns} if columns else {})))
    return tables


def variant_of(each: dict) -> str:
    """A kernel without what stands around its name."""
    if each["metric"] != "kernel":
        return each["variant"]
    name = each["variant"].removeprefix("void ").replace("samebits::kernels::cuda::", "").replace("(anonymous namespace)::", "")
    return name.split("<")[0].split("(")[0][:60]


def table_of(each: dict) -> str:
    if each["metric"] == "kernel":
        return "gpu_kernels"
    if each["metric"] in ("saved", "peak"):
        return "gpu_memory"
    if each["case"].startswith("training step"):
        return "gpu_step"
    if each["case"].startswith("elementwise"):
        return "gpu_elementwise"
    if each["case"].startswith("conv2d"):
        return "gpu_conv"
    return "gpu_int4" if "4 bits" in each["case"] else "gpu_linear"


def short(tables: dict[str, list[dict]]) -> list[dict]:
    every = [each for rows in tables.values() for each in rows]
    chosen = []
    for case, variants in SHORT:
        for variant in variants:
            chosen += [{**each, "columns": {"as a multiple of": f"{each['ratio']:.2f}x {each['reference']}"}} for each in every
                       if each["case"].startswith(case) and each["variant"] == variant and each["metric"] in REFERENCES]
    return chosen


def tables_of(report: dict) -> dict[str, list[dict]]:
    machine = machine_of(report["facts"])
    tables = measured(report, machine)
    return tables | {"gpu_checks": checked(report, machine), "gpu": short(tables)}


def write(source: Path, out: Path) -> int:
    """Writes out/NAME.json for every table and has each of them put into the documentation."""
    out.mkdir(parents=True, exist_ok=True)
    status = 0
    for name, rows in tables_of(json.loads(source.read_text(encoding="utf-8"))).items():
        path = out / f"{name}.json"
        path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
        status |= subprocess.run([sys.executable, ROOT / "tools" / "tables.py", path]).returncode if rows else 0
    return status
