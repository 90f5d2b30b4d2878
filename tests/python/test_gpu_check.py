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
sys.path[:0] = [str(TOOL), str(ROOT / "tools")]

import build  # noqa: E402
import device_tests  # noqa: E402
import processes  # noqa: E402
import table  # noqa: E402
import tables  # noqa: E402
from report import Report  # noqa: E402


def gpu_check(*arguments, timeout=1500):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=timeout)


def operators_on_cuda():
    """By the files that register them."""
    sources = "".join(path.read_text() for path in (ROOT / "csrc").glob("*/cuda/*.cpp"))
    return set(re.findall(r'library\.impl\("([\w.]+)"', sources))


def test_the_dry_form_calls_every_operator_and_benchmark(build_dir, tmp_path):
    library = build_dir / "lib" / "libsamebits_ops.so"
    done = gpu_check("dry", "--out", tmp_path, "--library", library)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    parts = json.loads((tmp_path / "gpu_check.json").read_text())["parts"]
    assert {name: part["state"] for name, part in parts.items()} == dict.fromkeys(parts, "ok")
    called = {row["name"].split(":")[0].removeprefix("bits, ") for row in parts["operators by bits"]["rows"]}
    assert operators_on_cuda() <= called
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
    assert all((ROOT / name).is_file() for name in build.MODULES)
    assert set(device_tests.sources()) == {*(ROOT / "tests/cuda_kernels").rglob("*_test.cpp"), ROOT / "tests/cuda_card/card.cpp"}


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


def test_bits_and_values_are_told_apart():
    torch = pytest.importorskip("torch")
    from difference import difference

    nan, other_nan = torch.tensor([0x7FC00000, 0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    got, expected = torch.stack([torch.tensor(0.0), nan, torch.tensor(1.0)]), torch.stack([torch.tensor(-0.0), other_nan, torch.tensor(1.0)])
    assert difference(got, expected) == (2, 1, "element 0 of 3: 0.0, expected -0.0")
    assert difference(got, expected, by_value=True) == (1, 0, "")
    assert difference(got + 1, got, by_value=True) == (2, 2, "element 0 of 3: 1.0, expected 0.0")
    assert difference(nan, expected[2], by_value=True) == (1, 1, "element 0 of 1: nan, expected 1.0")
    assert difference(got.int(), expected, by_value=True) == (1, 1, "torch.int32 (3,), expected torch.float32 (3,)")


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


A_RUN = {
    "facts": {"card": "NVIDIA H200, 580.1, 143771 MiB, 1980 MHz", "torch": "2.11.0+cu130 13.0 True"},
    "parts": {
        "suites": {"tests": 9, "passed": 8},
        "operators by bits": {"rows": [
            {"part": "bits", "name": "relu: 3", "state": "same", "detail": "", "elements": 1000, "differing": 0},
            {"part": "bits", "name": "relu: 4", "state": "differs", "detail": "", "elements": 2000, "differing": 7},
            {"part": "time", "name": "cases that had no time", "state": "left out", "detail": "5"}]},
        "benchmarks": {"rows": [
            {"case": "linear 4096 x 4096 x 4096", "variant": "linear", "metric": "rate", "value": 579.07, "unit": "TOPS", "ratio": 1.368,
             "ms": 0.2373, "least_ms": 0.2339, "greatest_ms": 0.2874},
            {"case": "linear 4096 x 4096 x 4096", "variant": "void samebits::kernels::cuda::relu<float>(int)", "metric": "kernel",
             "value": 61.4, "unit": "us a call", "ratio": None},
            {"case": "failed", "variant": "step", "metric": "error", "value": 0.0, "unit": "no memory", "ratio": None}]},
        "sanitizers": {"rows": [{"tool": "memcheck", "suite": "CudaRelu", "state": "clean", "tests": 4}]},
    },
}


def test_a_run_becomes_tables_that_name_the_card_and_what_went_wrong():
    made = table.tables_of(A_RUN)
    assert {name: tables.table(rows)[2:-2] for name, rows in made.items()} == {
        "gpu_linear": ["| linear 4096 x 4096 x 4096 | linear | 579.1 TOPS | 0.237 ms (0.234 to 0.287) | 1.37x |"],
        "gpu_kernels": ["| linear 4096 x 4096 x 4096 | relu | 61.4 us a call |  |  |"],
        "gpu_checks": [
            "| kernels | the emulator's tests | 8 tests | 1 of 9 |",
            "| operators | against the CPU, bit by bit | 2 cases | 7 of 3,000 elements |",
            "| operators | had no time | 5 cases |  |",
            "| kernels | compute-sanitizer, memcheck | 4 tests | 0 of 1 suites |"],
        "gpu": ["| linear 4096 x 4096 x 4096 | linear | 579.1 TOPS | 1.37x bf16 |"],
    }
    machine = "Machine: NVIDIA H200 (143771 MiB), driver 580.1, CUDA 13.0, PyTorch 2.11.0+cu130, `tools/gpu_check`"
    assert all(tables.table(rows)[-1] == machine for rows in made.values())
