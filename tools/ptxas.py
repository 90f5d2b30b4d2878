#!/usr/bin/env python3
"""ptxas.py [--nvcc PATH] [--json FILE] [--text FILE] [KERNEL...]: what ptxas makes of the CUDA kernels, without a GPU.

Compiles kernels/*/cuda/*.cu (or the named stems) for sm_80, sm_90 and sm_100 and prints, for each kernel and architecture,
registers a thread, shared memory a block, spilled bytes and theoretical occupancy: the share of a multiprocessor's warps
that fit at once, from the limits of the CUDA C++ Programming Guide ("Compute Capabilities"). Also looks for PTX instructions
that the numerics contract forbids. Exit: 0 all is well, 1 a kernel spills, lacks __launch_bounds__ or has such an
instruction, 2 wrong use, 3 no nvcc.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "kernels"
COMMON = SOURCES / "common" / "cuda"
# Where docs/numerics.md says so, by __fmaf_rn or, in formulas that the host compiles too, fmaf.
FUSED_BY_CONTRACT = {
    "encode_rows", "float_conv2d", "float_gemm", "function", "gemm_float_int4", "gemv_int4", "normalize", "observe_quantize",
    "quantize", "softmax",
}


@dataclass(frozen=True)
class Limits:
    """Of one multiprocessor. Registers are given to warps in units of 256, shared memory to blocks in units of 128 bytes."""

    registers: int = 65536
    warps: int = 64
    blocks: int = 32
    shared_bytes: int = 0
    reserved_bytes: int = 1024  # of each block's shared memory, for the system


ARCHITECTURES = {
    "sm_80": Limits(shared_bytes=164 * 1024),
    "sm_90": Limits(shared_bytes=228 * 1024),
    "sm_100": Limits(shared_bytes=228 * 1024),
}


@dataclass
class Usage:
    kernel: str
    architecture: str
    registers: int = 0
    shared_bytes: int = 0
    spilled_bytes: int = 0


def round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def occupancy_percent(registers: int, shared_bytes: int, threads: int, limits: Limits) -> float:
    """Resident warps of a multiprocessor, in percent of those it can hold."""
    warps_per_block = -(-threads // 32)
    warps_by_registers = limits.registers // round_up(max(registers, 1) * 32, 256)
    by_registers = warps_by_registers // 4 * 4 // warps_per_block  # four schedulers share them evenly
    by_shared = limits.shared_bytes // (round_up(shared_bytes, 128) + limits.reserved_bytes)
    blocks = min(limits.warps // warps_per_block, limits.blocks, by_registers, by_shared)
    return 100.0 * blocks * warps_per_block / limits.warps


def short_name(mangled: str) -> str:
    """fake_quantize<OneGrid> of _ZN8samebits..."""
    name = subprocess.run(["c++filt", mangled], capture_output=True, text=True, check=True).stdout.strip()
    name = name.replace("samebits::kernels::cuda::", "").replace("samebits::kernels::", "")
    name = name.replace("(anonymous namespace)::", "").removeprefix("void ")
    name = name.replace(" >", ">").replace("unsigned int", "uint32").replace("unsigned long", "uint64")
    depth = 0
    for i, character in enumerate(name):
        depth += {"<": 1, ">": -1}.get(character, 0)
        if character == "(" and depth == 0:
            return name[:i]
    return name


def parse(report: str) -> list[Usage]:
    """The kernels of one run of nvcc -Xptxas -v."""
    usages: list[Usage] = []
    for line in report.splitlines():
        if entry := re.search(r"Compiling entry function '(\S+)' for '(\w+)'", line):
            usages.append(Usage(short_name(entry[1]), entry[2]))
        elif spills := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            if usages:  # functions that are no kernels come before their kernel's lines
                usages[-1].spilled_bytes = int(spills[1]) + int(spills[2])
        elif used := re.search(r"Used (\d+) registers", line):
            usages[-1].registers = int(used[1])
            shared = re.search(r"(\d+) bytes smem", line)
            usages[-1].shared_bytes = int(shared[1]) if shared else 0
    return usages


def compile_one(nvcc: str, source: Path, directory: Path) -> list[Usage]:
    gencode = [f"-gencode=arch=compute_{sm[3:]},code={sm}" for sm in ARCHITECTURES]
    command = [nvcc, "--options-file", COMMON / "nvcc.options", *gencode, "-Xptxas", "-v", f"-I{ROOT}"]
    run = subprocess.run([*command, "-c", source, "-o", directory / "kernel.o"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"error: [ptxas] {source.relative_to(ROOT)}: expected to compile, got:\n{run.stderr}")
    return parse(run.stderr + run.stdout)


def forbidden_instructions(ptx: str) -> list[str]:
    """Instructions of PTX text that round otherwise than the contract: fused, approximate, or flushing denormals."""
    return sorted(set(re.findall(r"\b(?:fma|mad)\.\w+\.f(?:32|64)|\b\w+\.approx[.\w]*|\b\w+[.\w]*\.ftz[.\w]*", ptx)))


def ptx_of(nvcc: str, source: Path, directory: Path) -> str:
    target = directory / "kernel.ptx"
    command = [nvcc, "--options-file", COMMON / "nvcc.options", "-arch=sm_90", f"-I{ROOT}", "-ptx", source, "-o", target]
    subprocess.run(command, check=True, capture_output=True)
    return target.read_text(encoding="utf-8")


def threads_of_a_block() -> int:
    text = (COMMON / "launch.h").read_text(encoding="utf-8")
    return int(re.search(r"constexpr int kThreads = (\d+);", text)[1])


def kernels_without_bounds() -> list[str]:
    """Kernels of which the compiler does not know the block size, and may give them too many registers to run."""
    found = []
    for source in sorted(SOURCES.glob("*/cuda/*.cu*")):
        for kernel in re.finditer(r"__global__\s+void\s+(\S+)", source.read_text(encoding="utf-8")):
            if not kernel[1].startswith(("__launch_bounds__(kThreads)", "__launch_bounds__(kThreads,")):
                found.append(f"{source.name}: {kernel[1].split('(')[0]}")
    return found


def lines_of(usages: list[Usage], threads: int) -> list[str]:
    """One line a kernel, four columns an architecture."""
    kernels = sorted({usage.kernel for usage in usages})
    width = max(map(len, kernels))
    cells = {(usage.kernel, usage.architecture): usage for usage in usages}
    head = " " * width + "".join(f"  {sm:<28}" for sm in ARCHITECTURES)
    lines = [head.rstrip(), (f"{'':{width}}" + "  regs shared spills occupancy" * len(ARCHITECTURES)).rstrip()]
    for kernel in kernels:
        line = f"{kernel:{width}}"
        for sm, limits in ARCHITECTURES.items():
            usage = cells[kernel, sm]
            percent = occupancy_percent(usage.registers, usage.shared_bytes, threads, limits)
            line += f"  {usage.registers:4} {usage.shared_bytes:6} {usage.spilled_bytes:6} {percent:7.0f} %"
        lines.append(line)
    return lines


def worst_of(usages: list[Usage]) -> list[Usage]:
    """One entry a kernel and architecture: the largest figures of its instances, "quantize (9 instances)"."""
    groups: dict[tuple[str, str], list[Usage]] = {}
    for usage in usages:
        groups.setdefault((usage.kernel.split("<")[0], usage.architecture), []).append(usage)
    return [
        Usage(
            name if len(group) == 1 else f"{name}, {len(group)} instances",
            architecture,
            max(usage.registers for usage in group),
            max(usage.shared_bytes for usage in group),
            max(usage.spilled_bytes for usage in group),
        )
        for (name, architecture), group in groups.items()
    ]


def rows_of(usages: list[Usage], threads: int, machine: str) -> list[dict]:
    rows = []
    for usage in usages:
        percent = occupancy_percent(
            usage.registers, usage.shared_bytes, threads, ARCHITECTURES[usage.architecture]
        )
        values = {
            "registers": (usage.registers, "a thread"),
            "shared": (usage.shared_bytes, "bytes a block"),
            "spills": (usage.spilled_bytes, "bytes"),
            "theoretical occupancy": (percent, "percent"),
        }
        for metric, (value, unit) in values.items():
            row = {"case": usage.kernel, "variant": usage.architecture, "metric": metric, "value": value, "unit": unit}
            rows.append({**row, "reference": None, "ratio": None, "machine": machine})
    return rows


def find_nvcc(given: str | None) -> str:
    nvcc = given or shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")
    if nvcc is None:
        print("error: [ptxas] nvcc: expected on the path, not found; install the CUDA toolkit 13", file=sys.stderr)
        sys.exit(3)
    return nvcc


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools/ptxas.py", description="What ptxas makes of the CUDA kernels.")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help="stems of kernels/*/cuda/*.cu; default: all")
    parser.add_argument("--nvcc", help="default: the one on the path, or /usr/local/cuda/bin/nvcc")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows there")
    parser.add_argument("--text", type=Path, metavar="FILE", help="also write a shorter table there: the worst of a kernel's instances")
    options = parser.parse_args(arguments)
    known = {source.stem: source for source in sorted(SOURCES.glob("*/cuda/*.cu"))}
    if unknown := set(options.kernels) - set(known):
        parser.error(f"expected stems of kernels/*/cuda/*.cu ({', '.join(known)}), got {', '.join(sorted(unknown))}")
    nvcc = find_nvcc(options.nvcc)
    version = re.search(r"release [\d.]+, V([\d.]+)", subprocess.check_output([nvcc, "--version"], text=True))[1]
    usages: list[Usage] = []
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as directory:
        for stem in options.kernels or known:
            usages += compile_one(nvcc, known[stem], Path(directory))
            for instruction in forbidden_instructions(ptx_of(nvcc, known[stem], Path(directory))):
                if stem in FUSED_BY_CONTRACT and instruction == "fma.rn.f32":
                    continue
                problems.append(f"{stem}.cu: expected instructions that round once and keep denormals, got {instruction}")
    threads = threads_of_a_block()
    head = f"nvcc {version}, {threads} threads a block; computed, not measured"
    print("\n".join([head, *lines_of(usages, threads)]))
    if options.text:
        text = "\n".join([head, *lines_of(worst_of(usages), threads)])
        options.text.write_text(text + "\n", encoding="utf-8")
    if options.json:
        rows = rows_of(usages, threads, f"none: nvcc {version}, {threads} threads a block")
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    problems += [f"{usage.kernel} on {usage.architecture}: spills {usage.spilled_bytes} bytes" for usage in usages
                if usage.spilled_bytes > 0]  # fmt: skip
    problems += [f"{kernel}: expected __launch_bounds__(kThreads) behind `__global__ void`, got none"
                 for kernel in kernels_without_bounds()]  # fmt: skip
    for problem in problems:
        print(f"error: [ptxas] {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
