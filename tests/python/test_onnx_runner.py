"""python -m samebits.onnx_runner as a user meets it: bits, exit codes, whole error texts."""

import os
import subprocess
import sys

import numpy
import onnx
import pytest
from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file

FLOAT = TensorProto.FLOAT
X = numpy.ones((2, 3), numpy.float32)


def run_module(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "samebits.onnx_runner", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


def save_model(path, inputs=("image",), outputs=("doubled",), dtype=FLOAT):
    """A model that doubles its first input, [batch, 3]."""
    shape = ["batch", 3]
    graph = helper.make_graph(
        [helper.make_node("Add", [inputs[0], inputs[0]], [output]) for output in outputs],
        "double",
        [helper.make_tensor_value_info(name, dtype, shape) for name in inputs],
        [helper.make_tensor_value_info(name, dtype, shape) for name in outputs],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


@pytest.fixture
def model(tmp_path):
    return save_model(tmp_path / "double.onnx")


@pytest.fixture
def save_input(tmp_path):
    def save(**tensors):
        path = tmp_path / "input.safetensors"
        save_file(tensors, path)
        return path

    return save


@pytest.mark.parametrize("rows", [0, 1, 4, 5])
@pytest.mark.parametrize("options", [(), ("--batch", "4"), ("--disable-optimizations", "--threads", "2")])
def test_writes_the_output_of_all_rows_in_any_batches(model, save_input, tmp_path, rows, options):
    x = numpy.arange(3 * rows, dtype=numpy.float32).reshape(rows, 3)
    result = run_module(model, save_input(x=x), tmp_path / "y.safetensors", *options)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    written = load_file(tmp_path / "y.safetensors")
    assert list(written) == ["y"]
    numpy.testing.assert_array_equal(written["y"], x + x, strict=True)


def test_feeds_several_inputs_of_any_type_in_their_order(save_input, tmp_path):
    """y = the rows of x that the index names, where the mask holds, else 0."""
    types = {"x": FLOAT, "index": TensorProto.INT64, "mask": TensorProto.BOOL}
    zero = helper.make_node("Constant", [], ["zero"], value=helper.make_tensor("zero", FLOAT, [], [0.0]))
    graph = helper.make_graph(
        [
            helper.make_node("GatherElements", ["x", "index"], ["taken"], axis=1),
            zero,
            helper.make_node("Where", ["mask", "taken", "zero"], ["y"]),
        ],
        "take",
        [helper.make_tensor_value_info(name, kind, ["batch", 3]) for name, kind in types.items()],
        [helper.make_tensor_value_info("y", FLOAT, ["batch", 3])],
    )
    path = tmp_path / "take.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    x = numpy.arange(15, dtype=numpy.float32).reshape(5, 3)
    index, mask = numpy.array([[2, 0, 1]] * 5), x % 2 == 0
    arrays = save_input(**{"x": x, "x:1": index, "x:2": mask})
    result = run_module(path, arrays, tmp_path / "y.safetensors", "--batch", "2")
    assert (result.returncode, result.stderr) == (0, "")
    expected = numpy.where(mask, numpy.take_along_axis(x, index, 1), numpy.float32(0))
    numpy.testing.assert_array_equal(load_file(tmp_path / "y.safetensors")["y"], expected, strict=True)
    result = run_module(path, save_input(**{"x": x, "x:1": mask}), tmp_path / "y.safetensors")
    assert (result.returncode, result.stderr) == (
        2,
        f"error: [onnx] {path}: expected inputs of types ['tensor(float)', 'tensor(bool)'], got "
        "['x: tensor(float)', 'index: tensor(int64)', 'mask: tensor(bool)']\n",
    )


@pytest.fixture
def chain(tmp_path):
    """y = 2 * Abs(2 * x), its values named twice, abs and y."""
    shape = ["batch", 3]
    nodes = [("Add", "x", "x", "twice"), ("Abs", "twice", None, "abs"), ("Add", "abs", "abs", "y")]
    graph = helper.make_graph(
        [helper.make_node(op, [a] if b is None else [a, b], [y]) for op, a, b, y in nodes],
        "chain",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", FLOAT, shape)],
    )
    path = tmp_path / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def test_writes_values_with_others_put_in_the_place_of_what_the_model_computes(chain, save_input, tmp_path):
    given = -numpy.arange(15, dtype=numpy.float32).reshape(5, 3)
    x = save_input(**{"x": numpy.ones((5, 3), numpy.float32), "value:abs": given})
    options = ("--value", "twice", "--value", "y", "--batch", "2")
    result = run_module(chain, x, tmp_path / "y.safetensors", *options)
    assert (result.returncode, result.stderr) == (0, "")
    written = load_file(tmp_path / "y.safetensors")
    assert sorted(written) == ["value:twice", "value:y"]
    numpy.testing.assert_array_equal(written["value:twice"], numpy.full((5, 3), 2, numpy.float32), strict=True)
    numpy.testing.assert_array_equal(written["value:y"], 2 * given, strict=True)


def test_writes_codes_as_floats(save_input, tmp_path):
    scale, zero = (helper.make_tensor(name, kind, [], [v]) for name, kind, v in (("s", FLOAT, 0.5), ("z", TensorProto.INT8, 3)))
    graph = helper.make_graph(
        [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["c"]), helper.make_node("DequantizeLinear", ["c", "s", "z"], ["y"])],
        "codes",
        [helper.make_tensor_value_info("x", FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", FLOAT, ["batch", 3])],
        [scale, zero],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "codes.onnx")
    x = save_input(x=numpy.array([[0.75, -1, 1000]], numpy.float32))
    assert run_module(tmp_path / "codes.onnx", x, tmp_path / "y.safetensors", "--value", "c").returncode == 0
    [[name, codes]] = load_file(tmp_path / "y.safetensors").items()
    assert name == "value:c"
    numpy.testing.assert_array_equal(codes, numpy.array([[5, 1, 127]], numpy.float32), strict=True)


def test_says_that_a_value_is_not_there(chain, save_input, tmp_path):
    result = run_module(chain, save_input(x=X), tmp_path / "y.safetensors", "--value", "half")
    message = f'error: [onnx] {chain}: expected a value "half", got none of that name\n'
    assert (result.returncode, result.stderr) == (2, message)


def test_loads_no_torch(model, save_input, tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "samebits.onnx_runner", model, save_input(x=X)]
    result = subprocess.run([*command, tmp_path / "y.safetensors"], capture_output=True, text=True)
    imported = {line.rsplit("|")[-1].strip() for line in result.stderr.splitlines()}
    assert result.returncode == 0
    assert "onnxruntime" in imported
    assert "torch" not in imported


def test_says_that_onnxruntime_is_not_installed(model, save_input, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('as if it were not there')")
    path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    result = run_module(model, save_input(x=X), tmp_path / "y.safetensors", PYTHONPATH=path)
    assert result.returncode == 3
    assert result.stderr == "error: [onnx] onnxruntime: not installed here; pip install onnxruntime\n"


BAD_FILES = {
    "no tensor x": (lambda path: save_file({"z": X}, path), '{path}: expected a tensor "x", got [\'z\']'),
    "integers": (lambda path: save_file({"x": X.astype(numpy.int32)}, path), "{path}: x: expected dtype F32, I64 or BOOL, got I32"),
    "a scalar": (
        lambda path: save_file({"x": numpy.array(1, numpy.float32)}, path),
        "{path}: x: expected shape [N, ...], got []",
    ),
    "not safetensors": (
        lambda path: path.write_text("{}"),
        "{path}: expected a safetensors file, got Error while deserializing header: header too small",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_says_what_is_wrong_with_the_input(model, tmp_path, case):
    write, expected = BAD_FILES[case]
    path = tmp_path / "bad.safetensors"
    write(path)
    result = run_module(model, path, tmp_path / "y.safetensors")
    assert (result.returncode, result.stderr) == (2, "error: [onnx] " + expected.format(path=path) + "\n")
    assert not (tmp_path / "y.safetensors").exists()


def test_says_the_shape_that_the_model_takes(model, save_input, tmp_path):
    x = save_input(x=numpy.ones((2, 4), numpy.float32))
    result = run_module(model, x, tmp_path / "y.safetensors")
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: [onnx] {model}: expected x of shape ['batch', 3], got [2, 4]: ")


BAD_MODELS = {
    "two inputs": (dict(inputs=("a", "b")), "one input of type tensor(float), got ['a: tensor(float)', 'b: tensor(float)']"),
    "two outputs": (dict(outputs=("a", "b")), "one output of type tensor(float), got ['a: tensor(float)', 'b: tensor(float)']"),
    "doubles": (dict(dtype=TensorProto.DOUBLE), "one input of type tensor(float), got ['image: tensor(double)']"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_says_what_is_wrong_with_the_model(save_input, tmp_path, case):
    arguments, expected = BAD_MODELS[case]
    path = save_model(tmp_path / "bad.onnx", **arguments)
    result = run_module(path, save_input(x=X), tmp_path / "y.safetensors")
    assert (result.returncode, result.stderr) == (2, f"error: [onnx] {path}: expected {expected}\n")


def test_says_that_the_model_is_missing_or_no_onnx_file(save_input, tmp_path):
    path = tmp_path / "model.onnx"
    result = run_module(path, save_input(x=X), tmp_path / "y.safetensors")
    assert (result.returncode, result.stderr) == (2, f"error: [onnx] {path}: expected an ONNX file, got none\n")
    path.write_bytes(b"not a model")
    result = run_module(path, save_input(x=X), tmp_path / "y.safetensors")
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: [onnx] {path}: expected an ONNX file, got ")
    assert result.stderr.count("\n") == 1


def test_leaves_what_stood_there_when_it_cannot_write(model, save_input, tmp_path):
    folder = tmp_path / "y.safetensors"
    folder.mkdir()
    result = run_module(model, save_input(x=X), folder)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: [onnx] {folder}: expected a place to write, got ")
    assert folder.is_dir()
    assert not list(tmp_path.glob(".y*"))


@pytest.mark.parametrize("arguments", [("--threads", "0"), ("--batch", "x"), ("--bath", "1")])
def test_refuses_wrong_options(model, save_input, tmp_path, arguments):
    result = run_module(model, save_input(x=X), tmp_path / "y.safetensors", *arguments)
    assert result.returncode == 2
    assert result.stderr.splitlines()[0].startswith("usage: python -m samebits.onnx_runner")
