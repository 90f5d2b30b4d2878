"""The projects of examples/ against an installed samebits: cmake --install, find_package(samebits), build, run. What
the runtime computes without LibTorch must be what the training forward computed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def tool(name):
    """The program beside this Python, where requirements.txt puts it, or the one on the path."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.is_file() else shutil.which(name)


def run(*command, cwd=None, status=0):
    result = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == status, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def cached(build_dir, variable):
    found = re.search(rf"^{variable}:\w+=(.*)$", (build_dir / "CMakeCache.txt").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


@pytest.fixture(scope="module")
def prefix(build_dir, tmp_path_factory):
    if cached(build_dir, "SAMEBITS_SANITIZE"):
        pytest.skip("a build with sanitizers is not for programs without them")
    installed = tmp_path_factory.mktemp("prefix")
    run(tool("cmake"), "--install", build_dir, "--prefix", installed)
    return installed


@pytest.fixture(scope="module")
def build_example(prefix, tmp_path_factory):
    """Configures and builds examples/NAME with only these folders on CMAKE_PREFIX_PATH; the path of its program."""

    def build(name, *folders):
        folder = tmp_path_factory.mktemp(name)
        path = ";".join(map(str, [prefix, *folders]))
        ninja = tool("ninja")
        run(tool("cmake"), "-S", EXAMPLES / name, "-B", folder, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}",
            f"-DCMAKE_PREFIX_PATH={path}")
        run(ninja, "-C", folder)
        return folder / name

    return build


@pytest.fixture(scope="module")
def package(build_dir, build_example, tmp_path_factory):
    """What examples/consumer printed, and the package it wrote."""
    folder = tmp_path_factory.mktemp("consumer_run")
    program = build_example("consumer", cached(build_dir, "SAMEBITS_TORCH_DIR"))
    return run(program, cwd=folder), folder / "net.samebits"


def test_the_consumer_trains_exports_and_verifies(package):
    lines = package[0].splitlines()
    assert lines[:3] == [
        "layer  kind    weight             input        result",
        "conv   conv2d  int8 per channel   int8 affine  converted",
        "fc     linear  int4 groups of 32  int8 affine  converted (scheme of its own options)",
    ]
    steps = [line.split("  loss ") for line in lines[3:15]]
    assert [state for state, _ in steps] == ["observing"] * 2 + ["quantizing"] * 10
    assert float(steps[-1][1]) < float(steps[0][1])
    assert lines[15] == "net.samebits: 0 of 1,280 logits differ (128 images)"


def test_the_runtime_gives_the_bits_of_the_training_forward_without_torch(package, build_example):
    text, path = package
    program = build_example("runtime_only")  # LibTorch is not on its path
    lines = run(program, path).splitlines()
    assert lines[:-1] == ["conv  conv2d", "relu_1  relu", "max_pool2d_2  max_pool2d", "flatten_3  flatten", "fc  linear"]
    assert lines[-1] == text.splitlines()[-1]
    assert len(lines[-1].split()) == 4 + 10
    assert "torch" not in run("ldd", program)


def test_the_c_interface_gives_the_same_bits_without_the_cpp_library(package, build_example):
    text, path = package
    program = build_example("runtime_c")
    assert run(program, path).split()[1:] == text.splitlines()[-1].split()[4:]
    libraries = run("ldd", program)
    assert "libsamebits_runtime.so" in libraries
    assert not any(name in libraries for name in ("libstdc++", "libhwy", "libtorch"))


@pytest.fixture(scope="module")
def plugin_run(prefix, build_dir, build_example):
    """What the installed samebits printed when it trained examples/plugin, and the run's folder."""
    library = build_example("plugin", cached(build_dir, "SAMEBITS_TORCH_DIR")).parent / "libmynet.so"
    assert library.is_file()
    shutil.copy(EXAMPLES / "plugin" / "rings.yaml", library.parent)
    text = run(prefix / "bin" / "samebits", "train", "rings.yaml", "--set", "export=[package]", cwd=library.parent)
    return text, next(library.parent.glob("runs/*/latest"))


def test_the_plugin_is_trained_by_the_installed_executable(plugin_run):
    """Model and data are those of examples/plugin: built, trained on integers, exported, verified."""
    lines = plugin_run[0].splitlines()
    assert float(re.match(r"fp32 +([\d.]+)%", lines[0])[1]) > 95
    assert lines[2].split()[1] == lines[3].split()[1]  # qat and exported
    assert lines[4] == "model.samebits: 0 of 256 logits differ (128 images)"


def test_the_installed_verify_runs_the_python_package_beside_it(prefix, plugin_run, tmp_path):
    copy = tmp_path / "prefix"
    shutil.copytree(prefix, copy, symlinks=True)
    (runner,) = copy.glob("lib*/**/samebits/onnx_runner.py")
    runner.write_text("import sys\nsys.exit('error: [onnx] the runner of the copy')\n")
    run(copy / "bin" / "samebits", "export", plugin_run[1], "--format", "onnx", cwd=plugin_run[1].parents[2])
    environment = os.environ | {"SAMEBITS_PYTHON": sys.executable}
    command = [copy / "bin" / "samebits", "verify", plugin_run[1]]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=plugin_run[1].parents[2])
    assert result.returncode == 2
    assert result.stderr.endswith("got exit code 1: [onnx] the runner of the copy\n")


def test_what_is_installed_needs_neither_the_build_tree_nor_highway(prefix, build_dir):
    files = [*(prefix / "bin").iterdir(), *prefix.glob("lib*/*.so")]
    assert {file.name for file in files} >= {"samebits", "samebits-run", "libsamebits.so", "libsamebits_ops.so"}
    for file in files:
        dynamic = run("readelf", "-d", file)
        assert str(build_dir) not in dynamic and "libhwy" not in dynamic, file


def test_the_installed_python_package_says_its_version(prefix):
    (package,) = prefix.glob("lib*/**/samebits/__main__.py")
    environment = {"PYTHONPATH": str(package.parents[1]), "PATH": os.environ["PATH"]}
    result = subprocess.run([sys.executable, "-m", "samebits", "--version"], capture_output=True, text=True, env=environment)
    assert result.stdout == (EXAMPLES.parent / "version.txt").read_text(), result.stderr


def test_the_runtime_example_says_how_to_call_it(build_example):
    run(build_example("runtime_only"), status=2)


def test_only_public_headers_and_what_they_include_are_installed(prefix, build_example):
    """All in one folder; what each says is there, and no header is there that none says."""
    root = prefix / "include"
    assert [each.name for each in root.iterdir()] == ["samebits"]
    public = {each for each in (root / "samebits").glob("*.h")}
    assert {"interpreter.h", "runtime.h"} <= {each.name for each in public}
    detail = root / "samebits" / "detail"
    included = set()
    for header in (root / "samebits").rglob("*.h"):
        for name in re.findall(r'^#include "([^"]+)"', header.read_text(), re.MULTILINE):
            assert (detail / name).is_file(), f"{header} includes {name}"
            included.add(detail / name)
    assert {*(root / "samebits").rglob("*.h")} == public | included


def test_every_installed_header_of_the_runtime_compiles_alone(prefix, build_example, tmp_path):
    """No header leans on one that was not installed, or on one included before it."""
    root = prefix / "include" / "samebits" / "detail"
    headers = sorted([*root.glob("kernels/*/*.h"), *root.glob("quant/*.h"), *root.glob("runtime/*.h")])
    assert len(headers) > 15
    compiler = os.environ.get("CXX", "c++")
    for header in headers:
        run(compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", f"-I{root}", header)
