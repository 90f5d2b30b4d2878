"""The QDQ files of export_onnx_cases, which promise no bits: sound ONNX whose integers are the graph's, run by ONNX Runtime
and OpenVINO as near to the contract as the roundings allow that QDQ has and integers have not."""

import subprocess
import sys
from pathlib import Path

import format_packages
import numpy
import onnx
import onnx_cases
import pytest
import qdq_cases
from safetensors.numpy import load_file

LEAST_CASES = 75  # of layers and networks
NOT_THE_EXACT_FORM = ("avg_pool2d", "clamp")  # one operator, where the exact file fixes an order


@pytest.fixture(scope="session")
def cases(program, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export_qdq")
    subprocess.run([program("export_onnx_cases"), folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def layers(folder: Path) -> list[Path]:
    return [path for path in qdq_cases.cases(folder) if not path.stem.startswith("network_")]


def networks(folder: Path) -> list[Path]:
    return [path for path in qdq_cases.cases(folder) if path.stem.startswith("network_")]


def beyond(y: numpy.ndarray, expected: numpy.ndarray, bound: numpy.ndarray) -> int:
    """How many outputs are farther from the contract's than they may be."""
    assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
    return int((numpy.abs(y.astype(numpy.float64) - expected) > bound).sum())


def test_there_are_as_many_cases_as_the_tests_count_on(cases):
    assert len(layers(cases)) + len(networks(cases)) >= LEAST_CASES
    assert len(networks(cases)) >= 3


def test_every_file_passes_the_checker_with_shape_inference(cases):
    for path in (cases / "qdq").glob("*.onnx"):
        # As in test_export_onnx.py: the checker also counts windows that begin in the right padding.
        counts_too_many = path.stem.startswith(("op_max_pool2d", "op_avg_pool2d"))
        onnx.checker.check_model(path, full_check=not counts_too_many)


def test_every_file_says_its_style_and_has_no_integer_product(cases):
    for path in qdq_cases.cases(cases):
        model = onnx.load(path)
        assert {entry.key: entry.value for entry in model.metadata_props} == {"samebits.style": "qdq"}
        operators = {node.op_type for node in model.graph.node}
        assert {"QuantizeLinear", "DequantizeLinear"} <= operators
        assert not operators & {"MatMulInteger", "ConvInteger"}


def test_weights_are_the_reals_of_the_graph(cases):
    """Codes and scales of both files multiply to the same, so the QDQ file holds the integers of the graph."""
    compared = 0
    for path in layers(cases):
        exact, qdq = (qdq_cases.constants_of(onnx.load(p)) for p in (cases / path.name, path))
        [name] = [key.removesuffix("/weight") for key in qdq if key.endswith("/weight")]
        if f"{name}/group_scale" in exact:
            continue
        codes = exact[f"{name}/weight"].astype(int) - exact.get(f"{name}/weight_zero_point", numpy.zeros((), int)).astype(int)
        zero = qdq[f"{name}/weight_zero_point"].astype(int)
        stored = qdq[f"{name}/weight"].astype(int)
        zero = zero.reshape(-1, *[1] * (stored.ndim - 1)) if zero.ndim else zero
        assert numpy.array_equal(codes, (stored - zero).T if stored.ndim == 2 else stored - zero), path.stem
        compared += 1
    assert compared >= 40


@pytest.mark.parametrize("optimize", [True, False], ids=["fused", "as_written"])
def test_onnxruntime_is_as_near_as_the_roundings_allow(cases, optimize):
    far = {}
    for path in layers(cases):
        inputs = qdq_cases.inputs_of(cases, path.stem)
        [y] = qdq_cases.run_onnxruntime(path, inputs, optimize)
        if count := beyond(y, inputs["y"], qdq_cases.bound_of(path, inputs, False)):
            far[path.stem] = count
    assert far == {}


def test_a_bias_that_is_off_by_more_than_twice_the_bound_is_seen(cases):
    """By as few steps as that takes: the bound grows with the sums, half a step is the least of it."""
    path = cases / "qdq" / "linear_tensor_symmetric_8_bits.onnx"
    inputs = qdq_cases.inputs_of(cases, path.stem)
    bound = qdq_cases.bound_of(path, inputs, False)
    model = onnx.load(path)
    constants = {tensor.name.rpartition("/")[2]: tensor for tensor in model.graph.initializer}
    bias, scale = constants["bias"], onnx.numpy_helper.to_array(constants["bias_scale"])
    steps = int(numpy.ceil(2 * bound.max() / scale.min())) + 1
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + numpy.int32(steps), bias.name))
    [y] = qdq_cases.run_onnxruntime(model.SerializeToString(), inputs)
    assert beyond(y, inputs["y"], bound) == y.size


@pytest.mark.parametrize("optimize", [True, False], ids=["fused", "as_written"])
def test_a_code_behind_layers_that_took_the_same_codes_is_one_off_at_most(cases, optimize):
    """The error of a layer is far below a step of the next grid, so only a value next to a tie takes the other side."""
    for path in networks(cases):
        inputs = qdq_cases.inputs_of(cases, path.stem)
        exact = qdq_cases.codes_of(cases / path.name, inputs)
        codes = qdq_cases.codes_of(path, inputs, optimize)
        assert exact.keys() <= codes.keys()  # and values between layers
        same = numpy.ones(len(inputs["y"]), bool)  # images
        for layer in exact:
            distance = numpy.abs(exact[layer] - codes[layer])[same]
            assert distance.max(initial=0) <= 1, (path.stem, layer)
            assert (distance > 0).mean() <= 0.01, (path.stem, layer)
            same &= (exact[layer] == codes[layer]).reshape(len(same), -1).all(axis=1)


def test_every_other_operator_has_its_exact_form(cases):
    for path in sorted((cases / "qdq").glob("*.onnx")):
        tensors = qdq_cases.inputs_of(cases, path.stem)
        operators = {node.op_type for node in onnx.load(path).graph.node}
        if "QuantizeLinear" in operators:
            continue
        is_own = path.stem.startswith("float_op_") or any(name in path.stem for name in NOT_THE_EXACT_FORM)
        [y] = qdq_cases.run_onnxruntime(path, tensors)
        assert y.shape == tensors["y"].shape, path.stem
        assert not onnx_cases.wrong(y, tensors["y"], is_own).any(), path.stem


@pytest.fixture(scope="session")
def by_openvino(cases, build_dir, tmp_path_factory) -> dict[str, numpy.ndarray]:
    folder = build_dir.parent / "formats"
    if why := format_packages.install(folder):
        pytest.skip(why)
    out = tmp_path_factory.mktemp("openvino") / "y.safetensors"
    command = [sys.executable, qdq_cases.__file__, cases, out, "openvino"]
    run = subprocess.run(command, capture_output=True, text=True, env=format_packages.environment(folder), cwd=out.parent)
    assert run.returncode == 0, run.stderr[-3000:]
    return load_file(out)


def test_openvino_is_as_near_as_the_roundings_and_ties_allow(cases, by_openvino):
    """It quantizes by other operations than a division: an input next to a tie may get the other code."""
    far = {}
    for path in layers(cases):
        inputs = qdq_cases.inputs_of(cases, path.stem)
        bound = qdq_cases.bound_of(path, inputs, ties_fall_either_way=True)
        if count := beyond(by_openvino[path.stem], inputs["y"], bound):
            far[path.stem] = count
    assert far == {}
