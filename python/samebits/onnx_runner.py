"""Runs an ONNX file through onnxruntime, for samebits verify and for anyone who wants its bits in a file.

    python -m samebits.onnx_runner MODEL.onnx INPUT.safetensors OUTPUT.safetensors
        [--threads N] [--disable-optimizations] [--batch N]

Reads the tensor "x" (F32 [N, ...]), feeds it to the model's one input and writes the model's one output as "y".
Exit: 0 done, 2 wrong use or a bad file, 3 onnxruntime or what it needs is not installed. Loads no torch.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

MISSING = "[onnx] {}: not installed here; pip install -r requirements.txt"


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
    parser.add_argument("--disable-optimizations", action="store_true", help="run the nodes as they are in the file")
    return parser.parse_args(arguments)


def read_input(path: Path):
    """The float32 array "x" of a safetensors file."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise Missing("safetensors") from error
    try:
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            if "x" not in names:
                raise WrongUse(f'[onnx] {path}: expected a tensor "x", got {names}')
            dtype = file.get_slice("x").get_dtype()
            if dtype != "F32":
                raise WrongUse(f'[onnx] {path}: x: expected dtype F32, got {dtype}')
            x = file.get_tensor("x")
    except (SafetensorError, OSError) as error:
        raise WrongUse(f"[onnx] {path}: expected a safetensors file, got {error}") from error
    if x.ndim == 0:
        raise WrongUse(f"[onnx] {path}: x: expected shape [N, ...], got []")
    return x


def open_session(path: Path, threads: int, optimize: bool):
    try:
        import onnxruntime
    except ImportError as error:
        raise Missing("onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # what goes wrong is thrown as well
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if not path.is_file():
        raise WrongUse(f"[onnx] {path}: expected an ONNX file, got none")
    try:
        session = onnxruntime.InferenceSession(os.fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen exception types without a common base
        raise WrongUse(f"[onnx] {path}: expected an ONNX file, got {one_line(error)}") from error
    for kind, values in (("input", session.get_inputs()), ("output", session.get_outputs())):
        if len(values) != 1 or values[0].type != "tensor(float)":
            found = [f"{value.name}: {value.type}" for value in values]
            raise WrongUse(f"[onnx] {path}: expected one {kind} of type tensor(float), got {found}")
    return session


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def run(session, x, batch: int):
    """The output for all of `x`, `batch` rows at a time. No rows are one run of none."""
    import numpy

    name = session.get_inputs()[0].name
    parts = [session.run(None, {name: x[first : first + batch]})[0] for first in range(0, max(len(x), 1), batch)]
    return numpy.concatenate(parts)


def write_output(path: Path, y) -> None:
    from safetensors.numpy import save_file

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({"y": y}, temporary)
        os.replace(temporary, path)
    except Exception as error:
        raise WrongUse(f"[onnx] {path}: expected a place to write, got {one_line(error)}") from error
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        session = open_session(options.model, options.threads, not options.disable_optimizations)
        x = read_input(options.input)
        try:
            y = run(session, x, options.batch)
        except Exception as error:
            expected = session.get_inputs()[0].shape
            raise WrongUse(
                f"[onnx] {options.model}: expected x of shape {expected}, got {list(x.shape)}: {one_line(error)}"
            ) from error
        write_output(options.output, y)
    except Missing as missing:
        print("error: " + MISSING.format(missing), file=sys.stderr)
        return 3
    except WrongUse as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
