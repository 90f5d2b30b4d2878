"""libsamebits_runtime as it ships: how large, what it needs, what it exports; and examples/runtime_c, compiled by a C
compiler, against NumPy's reading of the same package."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

MAX_BYTES = 3 << 20
# The C library and its parts; on AArch64 the loader too.
ALLOWED = re.compile(r"^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|ld-linux.*)$")


@pytest.fixture(scope="module")
def library(build_dir) -> Path:
    path = build_dir / "lib" / "libsamebits_runtime.so"
    assert path.is_file(), f"{path} is missing; run make build"
    if "-fsanitize" in subprocess.run(["readelf", "-p", ".comment", path], capture_output=True, text=True).stdout:
        pytest.skip("a build with sanitizers is not what ships")
    return path


def lines(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.splitlines()


def test_stripped_it_has_at_most_3_mb(library, tmp_path):
    subprocess.run(["strip", "-o", tmp_path / "stripped.so", library], check=True)
    assert (tmp_path / "stripped.so").stat().st_size <= MAX_BYTES


def test_it_needs_nothing_but_the_c_library(library):
    needed = [found[1] for line in lines("readelf", "-d", library) if (found := re.search(r"\(NEEDED\).*\[(.+)\]", line))]
    assert "libc.so.6" in needed
    assert [name for name in needed if not ALLOWED.match(name)] == []
    assert not any("RUNPATH" in line or "RPATH" in line for line in lines("readelf", "-d", library))


def test_it_exports_its_functions_and_nothing_else(library):
    exported = {line.split()[-1] for line in lines("nm", "-D", "--defined-only", library)}
    header = (ROOT / "include" / "samebits" / "runtime.h").read_text()
    declared = set(re.findall(r"\b(samebits_\w+)\(", header))
    assert len(declared) == 13
    assert exported == declared


@pytest.fixture(scope="module")
def example(library, tmp_path_factory) -> Path:
    program = tmp_path_factory.mktemp("runtime_c") / "runtime_c"
    flags = ["-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include"]
    source = ROOT / "examples" / "runtime_c" / "main.c"
    subprocess.run([os.environ.get("CC", "cc"), *flags, source, "-o", program, library, f"-Wl,-rpath,{library.parent}"], check=True)
    return program


def test_a_c_program_gives_the_bits_of_the_runtime(example, program, tmp_path):
    subprocess.run([program("export_files_cases"), tmp_path], check=True)
    run = subprocess.run([example, tmp_path / "everything.samebits"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == (tmp_path / "everything.ramp.txt").read_text()


def test_a_c_program_says_what_is_wrong(example, tmp_path):
    assert subprocess.run([example], capture_output=True).returncode == 2
    run = subprocess.run([example, "no.samebits"], capture_output=True, text=True, cwd=tmp_path)
    assert (run.returncode, run.stderr) == (1, "error: load: [package] no.samebits: No such file or directory\n")
