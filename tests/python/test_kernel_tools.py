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


KERNEL = re.compile(r"(template\s*<[^;{}]*?>\s*)?__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\(")


def included_by(path, files):
    """The files that `path` includes, by whatever way, and itself."""
    found, left = set(), [path]
    while left:
        if (name := left.pop()) in files and name not in found:
            found.add(name)
            left += re.findall(r'^#include "([^"]+)"', files[name], re.M)
    return found


def kernels_defined_twice(files):
    """Kernels that two objects would define: neither of a template nor of one object's header."""
    objects = {path: included_by(path, files) for path in files if path.endswith(".cu")}
    for path, text in sorted(files.items()):
        owners = sorted(name for name, includes in objects.items() if path in includes)
        if len(owners) > 1:
            yield from (f"{path}: {name} is in {', '.join(owners)}" for template, name in KERNEL.findall(text) if not template)


def test_no_kernel_is_defined_by_two_objects():
    files = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "kernels").rglob("*.[hc]*")}
    assert sum(len(KERNEL.findall(text)) for text in files.values()) == sum(text.count("__global__") for text in files.values())
    assert list(kernels_defined_twice(files)) == []


def test_a_kernel_that_two_objects_would_define_is_found():
    both = "template <class A, class B = C<A>>\n__global__ void of_any(A a);\n__global__ void __launch_bounds__(kThreads, 2)\n    plain(int a);\n"
    files = {"k/both.cuh": both, "k/far.cuh": '#include "k/both.cuh"\n__global__ void far(int a);\n', "k/a.cu": '#include "k/both.cuh"\n',
             "k/b.cu": '#include <x>\n#include "k/far.cuh"\n'}
    assert list(kernels_defined_twice(files)) == ["k/both.cuh: plain is in k/a.cu, k/b.cu"]


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
