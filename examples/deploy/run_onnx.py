"""Runs model.onnx on input.bin and writes output.bin, both float32: python3 run_onnx.py. Needs numpy and onnxruntime."""

import pathlib

import numpy
import onnxruntime

folder = pathlib.Path(__file__).resolve().parent
session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
x = session.get_inputs()[0]
values = numpy.fromfile(folder / "input.bin", numpy.float32).reshape(-1, *x.shape[1:])  # as many items as there are
(y,) = session.run(None, {x.name: values})
y.astype(numpy.float32).tofile(folder / "output.bin")
print(f"{len(values)} items, {y.size} results")
