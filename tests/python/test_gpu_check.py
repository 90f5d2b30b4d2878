"""tools/gpu_check without a card: its dry form, and what of it can be looked at before a card is there."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools" / "gpu_check"
sys.path.insert(0, str(TOOL))

import build  # noqa: E402
import device_tests  # noqa: E402
import processes  # noqa: E402
from report import Report  # noqa: E402


def gpu_check(*arguments, timeout=400):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def operators_on_cuda():
    """By the files that register them."""
    sources = "".join(path.read_text() for path in (ROOT / "csrc").glob("*/cuda/*.cpp"))
    return set(re.findall(r'library\.impl\("(\w+)"', sources))


def test_the_dry_form_calls_every_operator_and_benchmark(build_dir, tmp_path):
    library = build_dir / "lib" / "libsamebits_ops.so"
    done = gpu_check("dry", "--out", tmp_path, "--library", library)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    parts = json.loads((tmp_path / "gpu_check.json").read_text())["parts"]
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(parts, "ok")
    called = {row["name"].split(":")[0] for row in parts["operators by bits"]["rows"]}
    assert operators_on_cuda() - {"linear_backward"} <= called  # which linear's own backward calls
    assert {row["metric"] for row in parts["benchmarks"]["rows"]} == {"bandwidth", "rate", "time", "saved"}


def test_run_without_a_card_says_so(tmp_path):
    if shutil.which("nvidia-smi"):
        pytest.skip("this machine has a card's driver")
    done = gpu_check("run", tmp_path, "--out", tmp_path / "out")
    assert done.returncode == 3
    assert done.stderr == "[gpu_check] run: expected a card that nvidia-smi lists, got none; without one: gpu_check dry\n"


def test_every_listed_source_exists_and_every_operator_file_is_listed():
    assert all(source.is_file() for source in [*build.sources(), *device_tests.sources()])
    assert {source for source in build.sources() if "cuda" in source.parts} == set((ROOT / "csrc").glob("*/cuda/*.cpp"))
    assert set(device_tests.sources()) == {*(ROOT / "tests/cuda_kernels").glob("*_test.cpp"), ROOT / "tests/cuda_card/card.cpp"}


def test_a_suite_compiles_for_a_card(tmp_path):
    if not shutil.which("nvcc"):
        pytest.skip("no nvcc on the PATH")
    source = ROOT / "tests" / "cuda_kernels" / "dequantize_test.cpp"
    done = processes.run(device_tests.nvcc_command(None, source, tmp_path / "suite.o"), 300)
    assert done.code == 0, done.output


def test_a_late_command_is_ended_with_its_children():
    done = processes.run(["sh", "-c", "echo begun; sleep 60 & wait"], 1)
    assert done.is_late and done.output == "begun\n" and done.seconds < 20


@pytest.mark.parametrize(
    ("output", "summary", "of_kernels"),
    [
        ("========= ERROR SUMMARY: 0 errors\n", 0, 0),
        ("========= Invalid __global__ read of size 4 bytes\n=========     at relu+0x90\n========= ERROR SUMMARY: 1 error\n", 1, 1),
        ("========= RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)\n", 0, 0),
        ("========= Error: Race reported between Write access at a\n========= RACECHECK SUMMARY: 1 hazard displayed\n", 1, 1),
        ("========= Host API uninitialized memory access\n=========     cudaMemcpy\n========= ERROR SUMMARY: 1 error\n", 1, 0),
        ("killed\n", -1, 0),
    ],
)
def test_the_words_of_compute_sanitizer_are_counted(output, summary, of_kernels):
    read = device_tests.read_sanitizer(output)
    assert (read["summary"], read["of_kernels"]) == (summary, of_kernels)


def test_the_report_counts_states_and_names_what_differs(tmp_path):
    report = Report(tmp_path)
    rows = [{"part": "bits", "name": f"relu: {i}", "state": state, "detail": "output 0", "elements": 10, "differing": i}
            for i, state in enumerate(["same", "differs", "differs", "differs", "differs"])]
    report.add("operators by bits", {"state": "failed", "seconds": 1, "rows": rows})
    assert (tmp_path / "gpu_check.txt").read_text().splitlines() == [
        "",
        "== operators by bits: failed, 1 s",
        "  bits: 1 same, 4 differs; 10 of 50 elements differ, 0 NaN payloads besides",
        "  DIFFERS relu: 1: output 0",
        "  DIFFERS relu: 2: output 0",
        "  DIFFERS relu: 3: output 0",
        "  ... 1 more of relu differs",
    ]
