"""Every graph that export_onnx_cases writes is a sound ONNX file whose bits are the oracle's, in onnxruntime as it
comes, with its optimizations off, and on processors that this machine is not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
import pytest
from safetensors.numpy import load_file

import onnx_cases

LEAST_CASES = 450  # of schemes and shapes, and of every operator in tests/graph/op_cases.h


@pytest.fixture(scope="session")
def cases(program, tmp_path_factory) -> Path:
    """The folder of the cases."""
    folder = tmp_path_factory.mktemp("export_onnx")
    subprocess.run([program("export_onnx_cases"), folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def test_there_are_as_many_cases_as_the_tests_count_on(cases):
    assert len(list(cases.glob("*.onnx"))) >= LEAST_CASES


def test_every_file_passes_the_checker_with_shape_inference(cases):
    for path in cases.glob("*.onnx"):
        # With ceil_mode the checker also counts windows that begin in the right padding; onnxruntime and torch do not.
        counts_too_many = path.stem.startswith("op_max_pool2d")
        onnx.checker.check_model(path, full_check=not counts_too_many)


def test_the_declared_output_shape_is_that_of_the_expected_output(cases):
    for path in cases.glob("*.onnx"):
        [output] = onnx.load(path).graph.output
        declared, shape = output.type.tensor_type.shape.dim, load_file(path.with_suffix(".safetensors"))["y"].shape
        assert len(declared) == len(shape), path.name
        for size, found in zip(declared, shape):
            assert size.dim_param or size.dim_value == found, path.name
            assert not size.dim_param or re.search("batch|sequence", size.dim_param), path.name
        if not path.stem.startswith(("op_", "float_op_")):
            assert declared[0].dim_param == "batch", path.name


@pytest.mark.parametrize("optimize", [True, False], ids=["optimized", "as_written"])
@pytest.mark.parametrize("threads", [1, 2])
def test_onnxruntime_gives_the_expected_bits(cases, optimize, threads):
    assert onnx_cases.differing(cases, optimize, threads) == {}


# Haswell multiplies pairs of bytes with saturation, Nehalem has no AVX, EPYC is the Zen 1 of many clouds.
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="qemu-x86_64 (Debian: qemu-user) is not installed")
@pytest.mark.parametrize("cpu", ["Haswell", "Nehalem", "EPYC"])
def test_other_processors_give_the_expected_bits(cases, cpu):
    command = ["qemu-x86_64", "-cpu", cpu, sys.executable, onnx_cases.__file__, cases]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.stdout == "{}\n", run.stderr


def test_float_layers_are_close_and_a_wrong_one_is_seen(cases, tmp_path):
    for name in ("float_op_float_linear_0.onnx", "float_op_float_linear_0.safetensors"):
        shutil.copy(cases / name, tmp_path)
    assert onnx_cases.differing(tmp_path, True, 1) == {}
    tensors = load_file(tmp_path / "float_op_float_linear_0.safetensors")
    tensors["y"][0, 0] += 0.1 * abs(tensors["y"]).max()
    onnx_cases.save_file(tensors, tmp_path / "float_op_float_linear_0.safetensors")
    assert onnx_cases.differing(tmp_path, True, 1) == {"float_op_float_linear_0": 1}


def test_a_changed_bit_is_seen(cases, tmp_path):
    for name in ("relu.onnx", "relu.safetensors"):
        shutil.copy(cases / name, tmp_path)
    tensors = load_file(tmp_path / "relu.safetensors")
    tensors["y"].view(numpy.uint32)[0, 5] ^= 1
    onnx_cases.save_file(tensors, tmp_path / "relu.safetensors")
    assert onnx_cases.differing(tmp_path, True, 1) == {"relu": 1}


# Of float32 at the value of the contract, or the absolute error that is allowed instead: onnxruntime computes sigmoid and
# what is made of it to 5e-7 of 1, not of the value.
ULPS = {"exp": 2, "log": 2, "tanh": 3, "erf": 2, "elu": 2, "sigmoid": 2, "silu": 2, "gelu": 2}
ABSOLUTE = {"sigmoid": 5e-7, "silu": 2e-6, "gelu": 2e-6, "elu": 1e-7}


@pytest.mark.parametrize("name", ULPS)
def test_functions_are_within_ulps_of_onnxruntimes(cases, name):
    paths = sorted(cases.glob(f"float_op_{name}_[0-9]*.onnx"))
    assert len(paths) >= 2
    for path in paths:
        tensors = load_file(path.with_suffix(".safetensors"))
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        [y] = session.run(None, {session.get_inputs()[0].name: tensors["x"]})
        expected = tensors["y"]
        unit = numpy.spacing(numpy.abs(expected))
        near = numpy.abs(y.astype(numpy.float64) - expected) <= numpy.maximum(ULPS[name] * unit, ABSOLUTE.get(name, 0))
        assert (near | (y == expected) | (numpy.isnan(y) & numpy.isnan(expected))).all()
