"""samebits export in the formats besides package and ONNX, and verify of what it wrote."""

import json
import shutil
import subprocess

import numpy
import pytest
from cli_runs import MLP, Run, config_text, error_of

SAME = "{}: 0 of 1,000 logits differ (100 images)\n"


@pytest.fixture(scope="module")
def trained(shared_samebits, data):
    return shared_samebits.train(config_text(data))


@pytest.fixture(scope="module")
def trained_mlp(shared_samebits, data):
    config = shared_samebits.write_config(config_text(data, name="mlp", model=MLP, qat=", weight: {bits: 4}"), "mlp.yaml")
    result = shared_samebits("train", config)
    assert result.returncode == 0, result.stderr
    return shared_samebits.newest_run("mlp")


@pytest.fixture
def run(trained, tmp_path):
    shutil.copytree(trained.path, tmp_path / "run")
    return Run(tmp_path / "run")


def test_every_file_that_holds_the_model_is_verified(samebits, run):
    result = samebits("export", run.path, "--format", "npz", "--format", "safetensors", "--format", "c_header")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "".join(f"{run.path}/export/model.{kind}\n" for kind in ("npz", "safetensors", "h"))
    result = samebits("verify", run.path, "--json", "verify.json")
    assert (result.returncode, result.stdout) == (
        0, "".join(SAME.format(f"model.{kind}") for kind in ("samebits", "onnx", "safetensors", "npz"))
    )  # fmt: skip
    counts = json.loads((samebits.folder / "verify.json").read_text())
    assert counts["differing"] == {"package": 0, "onnx": 0, "safetensors": 0, "npz": 0}


def test_a_qdq_file_is_verified_without_a_promise(samebits, run):
    result = samebits("export", run.path, "--format", "onnx_qdq")
    assert (result.returncode, result.stdout) == (0, f"{run.path}/export/model.qdq.onnx\n"), result.stderr
    result = samebits("verify", run.path, "--json", "verify.json")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1].startswith("model.qdq.onnx: promises no bits; ")
    counts = json.loads((samebits.folder / "verify.json").read_text())
    assert "onnx_qdq" not in counts["differing"]
    found = counts["inexact"]["onnx_qdq"]
    assert found["codes"] > 0 and found["largest_code_difference"] <= 1 and found["other_decisions"] <= 1


def test_the_layers_that_tensorrt_would_refuse_are_named(samebits, run):
    error = error_of(samebits("export", run.path, "--format", "onnx_tensorrt"), 2)
    path = f"{run.path}/export/model.tensorrt.onnx"
    assert error.startswith(f"error: [onnx] {path}: expected what TensorRT takes, got layers that break its rules:\n  conv1: ")
    assert "  fc2: symmetric_input: expected input zero point 0, got -128; set activation: {symmetric: true}" in error
    assert not (run.path / "export/model.tensorrt.onnx").exists()


def test_verify_finds_a_changed_weight_and_its_layer(samebits, run):
    assert samebits("export", run.path, "--format", "npz").returncode == 0
    path = run.path / "export/model.npz"
    with numpy.load(path) as archive:
        arrays = dict(archive)
    arrays["fc1.weight"] = arrays["fc1.weight"] // 2
    numpy.savez(path, **arrays)
    result = samebits("verify", run.path)
    assert result.returncode == 1
    assert "model.npz: " in result.stdout.splitlines()[-1] and "(fc1) is the first to differ" in result.stdout.splitlines()[-1]


def test_the_header_compiles(samebits, run, tmp_path):
    assert samebits("export", run.path, "--format", "c_header").returncode == 0
    (tmp_path / "main.c").write_text(
        '#define NET_IMPLEMENTATION\n#include "model.h"\n#include <stdio.h>\n'
        "int main(void) {\n  static float x[144], y[10];\n  if (net_run(x, y) != 0) return 1;\n"
        '  printf("%a\\n", (double)y[3]);\n  return 0;\n}\n'
    )
    flags = ["-std=c99", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{run.path}/export"]
    subprocess.run(["cc", *flags, tmp_path / "main.c", "-o", tmp_path / "main", "-lm"], check=True)
    float.fromhex(subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout)


def test_a_model_of_linear_layers_becomes_a_compressed_tensors_folder(samebits, trained_mlp):
    result = samebits("export", trained_mlp.path, "--format", "compressed_tensors")
    assert result.returncode == 0, result.stderr
    config = json.loads((trained_mlp.path / "export/model.compressed/config.json").read_text())["quantization_config"]
    assert config["format"] == "pack-quantized"
    assert [len(group["targets"]) for group in config["config_groups"].values()] == [3]
    assert SAME.format("model.compressed") in samebits("verify", trained_mlp.path).stdout


def test_what_a_format_cannot_hold_is_named(samebits, run, trained_mlp):
    assert error_of(samebits("export", run.path, "--format", "compressed_tensors"), 2) == (
        f"error: [compressed_tensors] {run.path}/export/model.compressed: conv1: expected quantized layers to be linear, got "
        "conv2d; export safetensors, or leave it float by skip: true\n"
    )
    error = error_of(samebits("export", trained_mlp.path, "--format", "gguf"), 2)
    assert error.startswith(f"error: [gguf] {trained_mlp.path}/export/model.gguf: fc1.weight: expected ")
    assert not list((run.path / "export").glob("*.gguf"))
