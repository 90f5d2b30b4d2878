"""Runs an ONNX file through onnxruntime, for samebits verify and for anyone who wants its bits in a file.

    python -m samebits.onnx_runner MODEL.onnx INPUT.safetensors OUTPUT.safetensors
        [--threads N] [--disable-optimizations] [--batch N] [--value NAME]...

Reads the tensor "x" (F32, I64 or BOOL [N, ...]), feeds it to the model's one input and writes the model's one output as
"y". A model of several inputs takes "x", "x:1", "x:2", ... in their order. With --value it writes values of the model
instead, as "value:NAME" in float32, codes too. Tensors "value:NAME" of the input stand in the place of what the model computes for these
values.
Exit: 0 done, 2 wrong use or a bad file, 3 onnxruntime or what it needs is not installed. Loads no torch.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

VALUE = "value:"  # begins the names of values in files
TYPES = {"F32": "tensor(float)", "I64": "tensor(int64)", "BOOL": "tensor(bool)"}  # of inputs
MISSING = "[onnx] {0}: not installed here; pip install {0}"


class WrongUse(Exception):
    """A file or a shape that cannot be run; the text says which and why."""


class Missing(Exception):
    """A package that is not installed."""


def positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f'expected an integer >= 1, got "{text}"')
    return value


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m samebits.onnx_runner", description='Runs the tensor "x" through an ONNX file, writes "y".'
    )
    parser.add_argument("model", type=Path, metavar="MODEL.onnx")
    parser.add_argument("input", type=Path, metavar="INPUT.safetensors")
    parser.add_argument("output", type=Path, metavar="OUTPUT.safetensors")
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--batch", type=positive, default=256, metavar="N", help="images a run; default: %(default)s")
    parser.add_argument("--value", action="append", default=[], metavar="NAME", help="write this value instead of y")
    parser.add_argument("--disable-optimizations", action="store_true", help="run the nodes as they are in the file")
    return parser.parse_args(arguments)


def read_input(path: Path):
    """The arrays "x", "x:1", ... of a safetensors file with the types that onnxruntime calls them, and values by name."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise Missing("safetensors") from error
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            if "x" not in names:
                raise WrongUse(f'[onnx] {path}: expected a tensor "x", got {names}')
            order = ["x"]
            while (more := f"x:{len(order)}") in names:
                order.append(more)
            dtypes = [file.get_slice(name).get_dtype() for name in order]
            for name, dtype in zip(order, dtypes):
                if dtype not in TYPES:
                    raise WrongUse(f"[onnx] {path}: {name}: expected dtype F32, I64 or BOOL, got {dtype}")
            xs = [(file.get_tensor(name), TYPES[dtype]) for name, dtype in zip(order, dtypes)]
            given = {name.removeprefix(VALUE): file.get_tensor(name) for name in names if name.startswith(VALUE)}
    except (SafetensorError, OSError) as error:
        raise WrongUse(f"[onnx] {path}: expected a safetensors file, got {error}") from error
    for name, (x, _) in zip(order, xs):
        if x.ndim == 0:
            raise WrongUse(f"[onnx] {path}: {name}: expected shape [N, ...], got []")
    return xs, given


def with_values(path: Path, given: dict, wanted: list[str]) -> bytes:
    """The model with `given` as inputs in the place of the nodes that make them, and `wanted` as its outputs."""
    try:
        import onnx
    except ImportError as error:
        raise Missing("onnx") from error
    try:
        model = onnx.load(path)
    except Exception as error:
        raise WrongUse(f"[onnx] {path}: expected an ONNX file, got {one_line(error)}") from error
    graph = model.graph
    made = {name for node in graph.node for name in node.output}
    for name in [*given, *wanted]:
        if name not in made:
            raise WrongUse(f'[onnx] {path}: expected a value "{name}", got none of that name')
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    codes = {n.output[0]: types[n.input[2]] for n in graph.node if n.op_type == "QuantizeLinear" and len(n.input) > 2}
    kept = [node for node in graph.node if not given.keys() & set(node.output)]
    describe = onnx.helper.make_tensor_value_info
    inputs = [describe(name, onnx.TensorProto.FLOAT, [None] * value.ndim) for name, value in given.items()]
    outputs = [describe(name, codes.get(name, onnx.TensorProto.FLOAT), None) for name in wanted]
    del graph.node[:], graph.output[:]
    graph.node.extend(kept)
    graph.input.extend(inputs)
    graph.output.extend(outputs)
    return model.SerializeToString()


def open_session(path: Path, model: bytes | None, types: list[str], arguments: argparse.Namespace):
    """`model`: the bytes to run instead of the file's. `types`: of the inputs."""
    try:
        import onnxruntime
    except ImportError as error:
        raise Missing("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what goes wrong is thrown as well
    if arguments.disable_optimizations:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model or os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen exception types without a common base
        raise WrongUse(f"[onnx] {path}: expected an ONNX file, got {one_line(error)}") from error
    for kind, values, wanted in (("input", session.get_inputs(), types), ("output", session.get_outputs(), [TYPES["F32"]])):
        if model is None and [value.type for value in values] != wanted:
            found = [f"{value.name}: {value.type}" for value in values]
            expected = f"one {kind} of type {wanted[0]}" if len(wanted) == 1 else f"{kind}s of types {wanted}"
            raise WrongUse(f"[onnx] {path}: expected {expected}, got {found}")
    return session


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def run(session, xs: list, given: dict, batch: int) -> list:
    """The outputs for all of `xs`, `batch` rows at a time. No rows are one run of none."""
    import numpy

    # The inputs that take the place of values stand behind the model's own.
    arrays = {value.name: x for value, x in zip(session.get_inputs(), xs)} | given
    parts = []
    for first in range(0, max(len(xs[0]), 1), batch):
        parts.append(session.run(None, {name: values[first : first + batch] for name, values in arrays.items()}))
    return [numpy.concatenate(part) for part in zip(*parts)]


def write_output(path: Path, tensors: dict) -> None:
    from safetensors.numpy import save_file

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, temporary)
        os.replace(temporary, path)
    except Exception as error:
        raise WrongUse(f"[onnx] {path}: expected a place to write, got {one_line(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        if not options.model.is_file():
            raise WrongUse(f"[onnx] {options.model}: expected an ONNX file, got none")
        typed, given = read_input(options.input)
        xs = [x for x, _ in typed]
        model = with_values(options.model, given, options.value) if options.value else None
        session = open_session(options.model, model, [kind for _, kind in typed], options)
        try:
            outputs = run(session, xs, given if model else {}, options.batch)
        except Exception as error:
            expected = session.get_inputs()[0].shape
            raise WrongUse(
                f"[onnx] {options.model}: expected x of shape {expected}, got {list(xs[0].shape)}: {one_line(error)}"
            ) from error
        names = [VALUE + name for name in options.value] or ["y"]
        write_output(options.output, {name: y.astype("float32", copy=False) for name, y in zip(names, outputs)})
    except Missing as missing:
        print("error: " + MISSING.format(missing), file=sys.stderr)
        return 3
    except WrongUse as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
