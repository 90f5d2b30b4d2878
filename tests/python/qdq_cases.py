"""Runs the QDQ files of export_onnx_cases in an engine, and says how far from the contract they may be. As a program it
writes what an engine gives, so that OpenVINO can run in a process that has its package on the path:

    python qdq_cases.py FOLDER OUT.safetensors openvino
"""

import sys
from pathlib import Path

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

UNIT = 2.0**-24  # what one rounding of float32 may move, of the value


def cases(folder: Path) -> list[Path]:
    """The files of one quantized layer and of networks, which differ from the exact ones in more than pools and bounds."""
    kinds = ("linear_", "conv2d_", "network_")
    return [path for path in sorted((folder / "qdq").glob("*.onnx")) if path.stem.startswith(kinds)]


def inputs_of(folder: Path, name: str) -> dict[str, numpy.ndarray]:
    return load_file(folder / f"{name}.safetensors")


def run_onnxruntime(model, inputs: dict, optimize: bool = True) -> list:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Without VNNI its fastest products of bytes saturate; this asks for the others.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {each.name: inputs[each.name] for each in session.get_inputs()})


def run_openvino(path: Path, inputs: dict) -> list:
    import openvino

    core = openvino.Core()
    # It would compute in bfloat16 where the processor has it.
    compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1"})
    results = compiled([inputs[port.any_name] for port in compiled.inputs])
    return [results[port] for port in compiled.outputs]


def constants_of(model: onnx.ModelProto) -> dict[str, numpy.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def sum_of(path: Path, x: numpy.ndarray) -> tuple[numpy.ndarray, int]:
    """Of a file of one layer: sums of |x · weight| for x in the place of its quantized input, and how many terms each has."""
    model = onnx.load(path)
    graph = model.graph
    [place] = [i for i, node in enumerate(graph.node) if node.op_type in ("Gemm", "MatMul", "Conv")]
    layer = onnx.NodeProto()
    layer.CopyFrom(graph.node[place])
    weights = [node for node in graph.node[:place] if node.output[0].rpartition("/")[2].startswith("weight_")]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend([*weights, helper.make_node("Abs", [layer.input[1]], ["magnitudes"])])
    layer.input[:] = ["a", "magnitudes"]
    layer.output[0] = "sum"
    graph.node.append(layer)
    graph.input.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, x.shape))
    graph.output.append(helper.make_tensor_value_info("sum", TensorProto.FLOAT, None))
    [result] = run_onnxruntime(model.SerializeToString(), {"a": numpy.abs(x).astype(numpy.float32)}, optimize=False)
    [shape] = [value.shape for name, value in constants_of(model).items() if name.endswith("/weight")]
    terms = shape[0] if layer.op_type == "MatMul" else int(numpy.prod(shape[1:]))
    return result.astype(numpy.float64), terms


def bound_of(path: Path, inputs: dict, ties_fall_either_way: bool) -> numpy.ndarray:
    """How far each output of a file of one layer may be from the contract's, which sums integers.

    Half an accumulator step, where the bias was rounded to whole ones; and one UNIT of the sum of magnitudes for each
    rounding: of the two factors, the product and the addition of K terms, of the scale and of the result. An engine that
    does not divide by the scale may give an input next to a tie the other code: a step of the input's grid there."""
    constants = {name.rpartition("/")[2]: value for name, value in constants_of(onnx.load(path)).items()}
    scale, zero_point = float(constants["x_scale"]), int(constants["x_zero_point"])
    with numpy.errstate(over="ignore"):
        position = inputs["x"].astype(numpy.float64) / scale
    codes = numpy.clip(numpy.rint(position) + zero_point, -128, 127) - zero_point
    magnitude, terms = sum_of(path, codes * scale)
    bias, half_step = numpy.zeros(1), numpy.zeros(1)
    if "bias" in constants:
        step = constants.get("bias_scale", numpy.ones(1)).astype(numpy.float64)
        bias = numpy.abs(constants["bias"] * step)
        half_step = step / 2 if "bias_scale" in constants else half_step
    if magnitude.ndim == 4:
        bias, half_step = bias.reshape(-1, 1, 1), half_step.reshape(-1, 1, 1)
    bound = half_step + 1.01 * (terms + 10) * UNIT * (magnitude + bias) + (terms + 10) * 2.0**-149
    if not ties_fall_either_way:
        return bound
    with numpy.errstate(invalid="ignore"):
        is_near_tie = numpy.abs(position - numpy.floor(position) - 0.5) < 1e-4
    return bound + 1.01 * sum_of(path, is_near_tie * scale)[0]


def with_codes(path: Path) -> bytes:
    """The model with the codes of its layers' inputs as outputs, named "LAYER"."""
    model = onnx.load(path)
    graph, constants = model.graph, constants_of(model)
    last = {}
    for node in graph.node:
        layer, _, what = node.output[0].rpartition("/")
        if what in ("x_codes", "x_clipped") and node.op_type in ("QuantizeLinear", "Clip"):
            if node.op_type == "QuantizeLinear" or layer in last:  # a Clip of codes, not of reals
                last[layer] = node.output[0]
    kinds = {layer: constants[f"{layer}/x_zero_point"].dtype for layer in last}
    del graph.output[:]
    for layer, name in last.items():
        graph.output.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kinds[layer]), None))
    return model.SerializeToString()


def codes_of(path: Path, inputs: dict, optimize: bool = True) -> dict[str, numpy.ndarray]:
    """The codes of each layer's input less their zero point, in the order of the layers."""
    constants = constants_of(onnx.load(path))
    model = onnx.load_from_string(with_codes(path))
    names = [output.name.rpartition("/")[0] for output in model.graph.output]
    values = run_onnxruntime(model.SerializeToString(), inputs, optimize)
    return {name: codes.astype(int) - int(constants[f"{name}/x_zero_point"]) for name, codes in zip(names, values)}


if __name__ == "__main__":
    folder, out, engine = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    assert engine == "openvino", engine
    save_file({path.stem: run_openvino(path, inputs_of(folder, path.stem))[0] for path in cases(folder)}, out)
