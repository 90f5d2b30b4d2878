"""The emulator's suites on a card: one program, a process a suite, so that an error that stays in a process stays there; and the
same under compute-sanitizer."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[2]

# Of each tool: what its runs have in memory (tests/cuda_card/card.h), and the suites to look at, the most telling first.
SHARED = ("Conv2d", "FloatGemm", "FloatConv2d", "EncodeRows", "BackwardBf16", "GemvInt4", "GemmInt4", "GemmFloatInt4")
BARRIERS = ("exact", (*SHARED, "ObserveQuantize", "Quantize", "Lsq", "Observe", "Histogram", "MinMax", "Mx", "FakeQuantize"))
SANITIZERS = {
    "memcheck": ("exact", (*SHARED, "MaxPool", "Epilogue", "FakeQuantize", "Lsq", "Mx", "ObserveQuantize", "MoveGrid", "MinMax", "PackInt4", "Observe",
                           "Quantize", "Histogram", "Dequantize", "Relu", "Codebook", "FakeQuantizeSmallFloat", "Stochastic",
                           "GridOfRange")),
    "racecheck": BARRIERS,
    "synccheck": BARRIERS,
    "initcheck": ("raw", (*SHARED, "MaxPool", "Epilogue", "Lsq", "ObserveQuantize", "MoveGrid", "Quantize", "MinMax", "Observe", "Mx", "FakeQuantize",
                          "Histogram", "PackInt4")),
}


def program(pack: Path) -> tuple[Path, dict[str, str], str]:
    """The program, the environment it starts in, and a text if it does not start."""
    binary = pack / "bin" / "cuda_kernels_on_card"
    said = ""
    for environment in ({}, {"LD_LIBRARY_PATH": str(pack / "lib_gcc")}):
        done = processes.run([binary, "--gtest_list_tests"], 60, environment)
        if done.code == 0:
            return binary, environment, ""
        said += done.output[-500:]
    rebuilt = build_program(pack, Path(tempfile.gettempdir()) / "gpu_check_tests")
    if processes.run([rebuilt, "--gtest_list_tests"], 60).code == 0:
        return rebuilt, {}, ""
    return binary, {}, said or "did not start"


def nvcc_command(pack: Path | None, source: Path, target: Path) -> list:
    """As tests/cuda_card/CMakeLists.txt has it. Without `pack`, gtest is the system's."""
    nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
    includes = [f"-I{ROOT}", *([] if pack is None else ["-isystem", pack / "include"])]
    flags = ["--options-file", ROOT / "kernels/common/cuda/nvcc.options", "-O3", "-arch=sm_90", "-Xcompiler=-ffp-contract=off"]
    return [nvcc, *flags, *includes, "-include", ROOT / "tests/cuda_card/card.h", "-x", "cu", "-c", source, "-o", target]


def sources() -> list[Path]:
    listed = (ROOT / "tests/cuda_kernels/CMakeLists.txt").read_text()
    stems = re.search(r"set\(stems(.*?)\)", listed, re.S)[1].split()
    return [ROOT / f"tests/cuda_kernels/{stem}_test.cpp" for stem in stems] + [ROOT / "tests/cuda_card/card.cpp"]


def build_program(pack: Path, work: Path) -> Path:
    """The program anew, on a machine where the one that was brought along does not start."""
    work.mkdir(parents=True, exist_ok=True)
    objects = [work / f"{source.stem}.o" for source in sources()]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda job: processes.run(nvcc_command(pack, *job), 120), zip(sources(), objects)))
    libraries = [pack / "lib" / name for name in ("libsamebits_kernels.a", "libgmock.a", "libgtest_main.a", "libgtest.a", "libhwy.so.1")]
    program = work / "cuda_kernels_on_card"
    link = [shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc", "-arch=sm_90", "-o", program, *objects, *libraries]
    processes.run([*link, "-Xlinker", f"-rpath={pack / 'lib'}"], 60)
    return program


def tests_of(binary: Path, environment: dict[str, str]) -> dict[str, list[str]]:
    """Suite -> tests, as gtest lists them."""
    suites: dict[str, list[str]] = {}
    for line in processes.run([binary, "--gtest_list_tests"], 60, environment).output.splitlines():
        if re.fullmatch(r"\w+\.", line):
            suite = line[:-1]
            suites[suite] = []
        elif line.startswith("  ") and suites:
            suites[suite].append(line.strip())
    return suites


def read_results(path: Path) -> tuple[list[str], dict[str, str]]:
    """Tests that ran, and the first words of those that failed."""
    if not path.exists():
        return [], {}
    ran, failed = [], {}
    for suite in json.loads(path.read_text())["testsuites"]:
        for test in suite["testsuite"]:
            name = f"{suite['name']}.{test['name']}"
            ran.append(name)
            if test.get("failures"):
                failed[name] = test["failures"][0]["failure"][:700]
    return ran, failed


def run_filter(binary: Path, environment: dict[str, str], pattern: str, seconds: float) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        done = processes.run([binary, f"--gtest_filter={pattern}", f"--gtest_output=json:{result}", "--gtest_brief=1"], seconds, environment)
        ran, failed = read_results(result)
    return {"pattern": pattern, "ran": ran, "failed": failed, "seconds": done.seconds, "code": done.code,
            "output": "" if done.code == 0 else done.output[-3000:]}


def run_suites(binary: Path, environment: dict[str, str], seconds: float, jobs: int = 4) -> dict:
    """Every suite; the failed tests of a suite once more alone, to tell the first error from what it left behind. A suite may
    take `seconds`, all of it twice that."""
    suites, end = tests_of(binary, environment), time.monotonic() + 2 * seconds
    with ThreadPoolExecutor(jobs) as pool:
        runs = list(pool.map(lambda suite: run_filter(binary, environment, f"{suite}.*", seconds), suites))
    passed, failed, unfinished = [], {}, []
    for suite, run in zip(suites, runs):
        names = [f"{suite}.{test}" for test in suites[suite]]
        passed += [name for name in run["ran"] if name not in run["failed"]]
        again = list(run["failed"]) or ([] if run["ran"] else names)
        alone_now = again[:6] if time.monotonic() + 10 < end else []
        for name in alone_now:
            alone = run_filter(binary, environment, name, 30)
            if alone["ran"] and not alone["failed"]:
                passed.append(name)
                failed.setdefault(f"{suite} together", run["failed"].get(name, run["output"][-700:]))
            elif alone["failed"]:
                failed[name] = alone["failed"][name]
            else:
                unfinished.append(name)
                failed[name] = alone["output"][-700:] or f"no result, exit {alone['code']}"
        for name in again[len(alone_now):]:
            failed.setdefault(name, run["failed"].get(name, "not run alone"))
    return {"tests": sum(map(len, suites.values())), "passed": len(set(passed)), "failed": failed, "unfinished": unfinished,
            "suites": {suite: run["seconds"] for suite, run in zip(suites, runs)}}


def sanitizer() -> str | None:
    places = [shutil.which("compute-sanitizer"), "/usr/local/cuda/bin/compute-sanitizer",
              "/usr/local/cuda/compute-sanitizer/compute-sanitizer"]
    return next((place for place in places if place and Path(place).exists()), None)


def read_sanitizer(output: str) -> dict:
    errors = re.findall(r"ERROR SUMMARY: (\d+) error", output)
    hazards = re.findall(r"RACECHECK SUMMARY: (\d+) hazard", output)
    blamed = [line.strip("= ") for line in output.splitlines()
              if re.search(r"Invalid|Race reported|hazard|Uninitialized|divergent|Barrier error|Misaligned|Error:", line)]
    # A copy to the host of bytes that a test knows to be unwritten is the test's, not a kernel's.
    kernels = [line for line in blamed if "cudaMemcpy" not in line and "Host API" not in line and "SUMMARY" not in line]
    return {"summary": int((errors or hazards or [-1])[-1]), "of_kernels": len(kernels), "first": kernels[:6]}


def sanitize(binary: Path, environment: dict[str, str], seconds: float, jobs: int = 8) -> list[dict]:
    """A row for each tool and suite, as many as the time allows, tools in turn."""
    tool_path = sanitizer()
    if tool_path is None:
        return [{"tool": "all", "suite": "", "state": "no compute-sanitizer"}]
    present = tests_of(binary, environment)
    queue = []
    for place in range(max(len(suites) for _, suites in SANITIZERS.values())):
        for tool, (memory, suites) in SANITIZERS.items():
            if place < len(suites) and f"Cuda{suites[place]}" in present:
                queue.append((tool, memory, f"Cuda{suites[place]}"))
    deadline = time.monotonic() + seconds

    def one(job) -> dict:
        tool, memory, suite = job
        left = deadline - time.monotonic()
        if left < 5:
            return {"tool": tool, "suite": suite, "state": "no time"}
        command = [tool_path, "--tool", tool, "--print-limit", "5", binary, f"--gtest_filter={suite}.*-*Refused*"]
        done = processes.run(command, min(left, 60), {**environment, "SAMEBITS_CARD_MEMORY": memory, "SAMEBITS_CUDA_SEED": "1"})
        tests = len(re.findall(r"^\[       OK \]", done.output, re.M))
        read = read_sanitizer(done.output)
        state = "clean" if read["of_kernels"] == 0 and (read["summary"] >= 0 or done.is_late) else "errors"
        if read["summary"] < 0 and not done.is_late:
            state = "did not end as expected"
        return {"tool": tool, "suite": suite, "state": state + (", cut off" if done.is_late else ""), "tests": tests,
                "of": len(present[suite]), "seconds": done.seconds, **read,
                "output": done.output[-1500:] if state != "clean" else ""}

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, queue))
