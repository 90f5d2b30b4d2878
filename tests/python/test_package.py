"""import samebits: where it finds the operators, and what it says when it does not."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

FAKE_QUANTIZE = """
import samebits, torch
x = torch.tensor([2.5, -200.0, 0.5])
y, clip_mask, saw_nan = torch.ops.samebits.fake_quantize(x, torch.tensor(1.0), torch.tensor(0, dtype=torch.int32), -128, 127)
print(y.tolist(), clip_mask.tolist(), bool(saw_nan))
"""


def run_python(code, **environment):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SAMEBITS_")}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=kept | environment)


def last_line(result):
    return result.stderr.splitlines()[-1]


def test_importing_it_makes_the_operators_usable(build_dir):
    result = run_python(FAKE_QUANTIZE, SAMEBITS_BUILD_DIR=str(build_dir))
    assert result.stdout == "[2.0, -128.0, 0.0] [2] False\n", result.stderr


def test_a_named_library_goes_before_the_build(build_dir, tmp_path):
    library = build_dir / "lib" / "libsamebits_ops.so"
    result = run_python(FAKE_QUANTIZE, SAMEBITS_OPS_LIBRARY=str(library), SAMEBITS_BUILD_DIR=str(tmp_path))
    assert result.returncode == 0, result.stderr


def test_a_library_beside_the_package_goes_before_the_build(tmp_path):
    package = tmp_path / "samebits"
    package.mkdir()
    shutil.copy(ROOT / "python" / "samebits" / "__init__.py", package)
    shutil.copy(ROOT / "version.txt", package)
    (package / "libsamebits_ops.so").write_text("not a library")
    result = run_python("import samebits", PYTHONPATH=str(tmp_path))
    assert last_line(result).startswith(f"ImportError: [samebits] {package}/libsamebits_ops.so: expected a library")
    assert last_line(result).endswith("; build samebits for it")


def test_an_installed_package_looks_where_it_was_installed(tmp_path):
    package = tmp_path / "lib" / "samebits" / "python" / "samebits"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "python" / "samebits" / "__init__.py", package)
    shutil.copy(ROOT / "version.txt", package)
    result = run_python("import samebits", PYTHONPATH=str(package.parent))
    assert last_line(result) == (
        f"ImportError: [samebits] libsamebits_ops.so: expected one of {package}/libsamebits_ops.so, "
        f"{tmp_path}/lib/libsamebits_ops.so, got none; set SAMEBITS_OPS_LIBRARY"
    )


def test_says_its_version_without_torch_and_operators(tmp_path):
    version = (ROOT / "version.txt").read_text()
    environment = os.environ | {"PYTHONPATH": str(ROOT / "python"), "SAMEBITS_OPS_LIBRARY": str(tmp_path / "none")}
    command = [sys.executable, "-X", "importtime", "-m", "samebits", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout) == (0, version)
    assert "torch" not in result.stderr


def test_says_where_it_looked_for_the_library(tmp_path):
    result = run_python("import samebits", SAMEBITS_BUILD_DIR=str(tmp_path))
    assert last_line(result) == (
        f"ImportError: [samebits] libsamebits_ops.so: expected one of {ROOT}/python/samebits/libsamebits_ops.so, "
        f"{tmp_path}/lib/libsamebits_ops.so, got none; run make build, or set SAMEBITS_OPS_LIBRARY"
    )


@pytest.mark.parametrize("contents", [None, "not a library"])
def test_a_named_library_is_the_only_one_it_tries(tmp_path, contents):
    path = tmp_path / "ops.so"
    if contents is not None:
        path.write_text(contents)
    result = run_python("import samebits", SAMEBITS_OPS_LIBRARY=str(path))
    expected = f"libsamebits_ops.so: expected one of {path}, got none" if contents is None else f"{path}: expected a library"
    assert last_line(result).startswith(f"ImportError: [samebits] {expected}")
    assert last_line(result).endswith("run make build" + (", or set SAMEBITS_OPS_LIBRARY" if contents is None else ""))
