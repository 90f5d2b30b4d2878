"""The Debian package of the runtime: a program in C finds it where it was unpacked, and nothing points into the build."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden.samebits"


def run(*command, **options) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


@pytest.fixture(scope="module")
def deb(build_dir, tmp_path_factory) -> Path:
    for tool in ("dpkg-deb", "dpkg-shlibdeps", "readelf"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} (Debian: dpkg, dpkg-dev, binutils) is not installed")
    if not (build_dir / "CPackConfig.cmake").is_file():
        pytest.skip("this build installs nothing")
    folder = tmp_path_factory.mktemp("packages")
    run(Path(sys.executable).with_name("cpack"), "--config", build_dir / "CPackConfig.cmake", "-G", "DEB", "-B", folder)
    [path] = folder.glob("samebits-runtime_*.deb")
    return path


@pytest.fixture(scope="module")
def unpacked(deb, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "-x", deb, folder)
    return folder / "usr"


def test_it_says_what_it_is_and_what_it_needs(deb):
    version = (ROOT / "version.txt").read_text().strip()
    fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "-f", deb).splitlines() if ": " in line)
    assert (fields["Package"], fields["Version"]) == ("samebits-runtime", version)
    needed = {each.split()[0] for each in fields["Depends"].split(", ")}
    assert needed <= {"libc6", "libgcc-s1", "libstdc++6"}


def test_no_file_of_it_points_into_the_build(unpacked, build_dir):
    binaries = [unpacked / "bin" / "samebits-run", *(unpacked / "lib").glob("libsamebits_runtime.so.*")]
    assert len(binaries) >= 2
    for path in binaries:
        assert "RUNPATH" not in run("readelf", "-d", path) and "RPATH" not in run("readelf", "-d", path)
    for path in unpacked.rglob("*.cmake"):
        assert str(ROOT) not in path.read_text(), path.name


def test_a_program_in_c_runs_a_package_with_it(unpacked, tmp_path):
    source = tmp_path / "main.c"
    source.write_text(
        '#include <samebits/runtime.h>\n#include <stdio.h>\nint main(int argc, char** argv) {\n  samebits_model* model;\n'
        "  if (argc != 2 || samebits_model_load(argv[1], &model) != SAMEBITS_OK) {\n"
        "    puts(samebits_last_error());\n    return 1;\n  }\n"
        '  printf("%s %s\\n", samebits_version(), samebits_model_input_name(model, 0));\n'
        "  samebits_model_free(model);\n  return 0;\n}\n"
    )
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{unpacked}/include", f"-L{unpacked}/lib"]
    run(compiler, *flags, source, "-lsamebits_runtime", "-o", tmp_path / "main")
    environment = os.environ | {"LD_LIBRARY_PATH": f"{unpacked}/lib"}
    version = (ROOT / "version.txt").read_text().strip()
    assert run(tmp_path / "main", GOLDEN, env=environment) == f"{version} x\n"


def test_its_program_runs(unpacked):
    assert run(unpacked / "bin" / "samebits-run", "--version").strip().endswith((ROOT / "version.txt").read_text().strip())
