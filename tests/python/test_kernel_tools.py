"""tools/ptxas.py and tools/mutants.py: what they read, compute and list, without a compiler."""

import re

import mutants
import ptxas
import pytest
from conftest import ROOT

REPORT = """ptxas info    : Compiling entry function '_ZN8samebits7kernels4cuda4reluENS0_8ReluArgsEl' for 'sm_90'
ptxas info    : Function properties for _ZN8samebits7kernels4cuda4reluENS0_8ReluArgsEl
    8 bytes stack frame, 12 bytes spill stores, 16 bytes spill loads
ptxas info    : Used 29 registers, used 1 barriers, 96 bytes smem
ptxas info    : Compile time = 7.0 ms
"""


def test_a_report_gives_names_registers_shared_memory_and_spills():
    (usage,) = ptxas.parse(REPORT)
    assert usage == ptxas.Usage("relu", "sm_90", registers=29, shared_bytes=96, spilled_bytes=28)


@pytest.mark.parametrize(
    ("registers", "shared_bytes", "threads", "percent"),
    [
        (32, 0, 256, 100),  # 64 warps of 1024 registers are all there are
        (33, 0, 256, 75),  # 1280 a warp: 51 warps, 48 of them in whole blocks
        (64, 0, 256, 50),
        (128, 0, 256, 25),
        (255, 0, 256, 12.5),
        (16, 0, 32, 50),  # 32 blocks of one warp
        (16, 50_000, 256, 50),  # 228 KB hold 4 blocks of it
    ],
)
def test_occupancy_follows_the_limits_of_sm_90(registers, shared_bytes, threads, percent):
    assert ptxas.occupancy_percent(registers, shared_bytes, threads, ptxas.ARCHITECTURES["sm_90"]) == percent


def test_the_table_keeps_the_worst_of_a_kernels_instances():
    usages = [ptxas.Usage("f<A>", "sm_80", 20, 0, 0), ptxas.Usage("f<B>", "sm_80", 40, 96, 4)]
    assert ptxas.worst_of(usages) == [ptxas.Usage("f, 2 instances", "sm_80", 40, 96, 4)]


def test_fused_approximate_and_flushing_instructions_are_found():
    ptx = """add.rn.f32 %f1, %f2, %f3; div.rn.f32 %f1, %f2, %f3; mad.lo.s64 %rd1, %rd2, %rd3, %rd4;
    fma.rn.f32 %f1, %f2, %f3, %f4; div.approx.f32 %f1, %f2, %f3; mul.rn.ftz.f32 %f1, %f2, %f3; fma.rn.f64 %fd1;"""
    assert ptxas.forbidden_instructions(ptx) == ["div.approx.f32", "fma.rn.f32", "fma.rn.f64", "mul.rn.ftz.f32"]


def test_every_kernel_says_its_block_size_to_the_compiler():
    assert ptxas.kernels_without_bounds() == []
    assert ptxas.threads_of_a_block() % 32 == 0


def test_mutants_break_code_and_nothing_else():
    for folder in ("cuda", "reference"):
        for source in sorted((ROOT / "kernels").glob(f"*/{folder}/*.c*")):
            path = str(source.relative_to(ROOT))
            lines = source.read_text(encoding="utf-8").split("\n")
            for mutant in mutants.mutants_of(path, ["a/test"], limit=0):
                assert mutant.text != lines[mutant.line]
                assert not lines[mutant.line].strip().startswith(("//", "#"))


def test_mutants_are_the_same_each_time_and_of_many_kinds():
    path = "kernels/common/cuda/quads.cuh"
    first, second = (mutants.mutants_of(path, ["a/test"], limit=12) for _ in range(2))
    assert first == second
    assert len(first) == 12
    assert len({mutant.what for mutant in first}) >= 8


def test_every_mutant_listed_as_equivalent_can_still_be_made():
    config = mutants.tomllib.loads((ROOT / "tools" / "mutants.toml").read_text(encoding="utf-8"))
    for entry in config["equivalent"]:
        for path in entry["files"]:
            texts = {mutant.text.strip() for mutant in mutants.mutants_of(path, ["a/test"], limit=0)}
            assert entry["becomes"] in texts, path
        assert re.search(r"\w", entry["why"])


def test_every_declared_test_exists():
    config = mutants.tomllib.loads((ROOT / "tools" / "mutants.toml").read_text(encoding="utf-8"))
    for path, tests in config["tests"].items():
        assert (ROOT / path).is_file(), path
        for test in tests:
            assert (ROOT / "tests" / f"{test}_test.cpp").is_file(), test
