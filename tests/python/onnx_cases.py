"""Runs a folder of NAME.onnx with NAME.safetensors (the inputs, expected "y") through onnxruntime: bit for bit, but for the
cases float_op_…, whose sums are the engine's own and only have to be close. As a program it prints the cases that
differ, so that it can run under an emulator of another processor:

    python onnx_cases.py FOLDER
"""

import sys
from pathlib import Path

import numpy
import onnxruntime
from safetensors.numpy import load_file, save_file  # noqa: F401 (tests write cases too)


def differing(folder: Path, optimize: bool, threads: int) -> dict[str, int | str]:
    """Of each case that is not bit for bit as expected: how many elements differ, or the wrong shape."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    result = {}
    for path in sorted(folder.glob("*.onnx")):
        tensors = load_file(path.with_suffix(".safetensors"))
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        [y] = session.run(None, {each.name: tensors[each.name] for each in session.get_inputs()})
        if y.shape != tensors["y"].shape or y.dtype != tensors["y"].dtype:
            result[path.stem] = f"{y.dtype} {y.shape}"
        elif count := int(wrong(y, tensors["y"], path.stem.startswith("float_op_")).sum()):
            result[path.stem] = count
    return result


def wrong(got, expected, is_float: bool):
    """Which elements differ. A NaN is one: sign and payload are the engine's."""
    both_nan = numpy.isnan(got) & numpy.isnan(expected)
    if is_float:
        largest = float(numpy.abs(expected[numpy.isfinite(expected)]).max(initial=0))
        return ~numpy.isclose(got, expected, rtol=1e-4, atol=1e-4 * max(largest, 1)) & ~both_nan
    if got.dtype == numpy.float32:
        got, expected = got.view(numpy.uint32), expected.view(numpy.uint32)
    return (got != expected) & ~both_nan


if __name__ == "__main__":
    print(differing(Path(sys.argv[1]), optimize=True, threads=1))
