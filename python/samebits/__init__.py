"""samebits for Python: quantization-aware training on the integers that ship.

    model = samebits.prepare(net, "int8", example)      # the graph of an nn.Module, which trains on integers
    train(model)                                        # an nn.Module: any loop, any optimizer
    model.freeze()
    quantized = samebits.convert(model, example)        # codes, scales, graph
    quantized.save("net.samebits")
    print(samebits.verify(model, "net.samebits", batches))          # net.samebits: 0 of 1,000 logits differ
    y = samebits.load("net.samebits")(x)                # the same bits, without autograd

Importing it loads the operators, torch.ops.samebits.*: libsamebits_ops.so registers them, their Meta kernels and their
gradients. prepare() and what follows are C++ too, of libsamebits_python.so, which is loaded when first asked for. Nothing
is computed in Python. `python -m samebits.onnx_runner` is the one use that loads no torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LIBRARY = "libsamebits_ops.so"
_SOURCE_TREE = Path(__file__).resolve().parents[2]

__all__ = ["Model", "Package", "QuantizedModel", "Verification", "capture", "convert", "load", "nn", "prepare", "save", "verify"]


def _version() -> str:
    """That of version.txt, beside an installed package or in the source tree."""
    for folder in (Path(__file__).resolve().parent, _SOURCE_TREE):
        if (folder / "version.txt").is_file():
            return (folder / "version.txt").read_text().split()[0]
    return "unknown"


__version__ = _version()


def library_path() -> Path:
    """The operator library: $SAMEBITS_OPS_LIBRARY, or the first that exists of the file beside this package,
    $SAMEBITS_BUILD_DIR/lib and build/cpu/lib of the source tree. ImportError when there is none."""
    named = os.environ.get("SAMEBITS_OPS_LIBRARY")
    if named:
        candidates = [Path(named)]
    else:
        build = os.environ.get("SAMEBITS_BUILD_DIR") or _SOURCE_TREE / "build" / "cpu"
        candidates = [Path(__file__).resolve().parent / _LIBRARY, Path(build) / "lib" / _LIBRARY]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ImportError(
        f"[samebits] {_LIBRARY}: expected one of {looked}, got none; run make build, or set SAMEBITS_OPS_LIBRARY"
    )


def _is_onnx_runner() -> bool:
    # `-m` imports this package first; torch would take longer to load than most models take to run.
    return "samebits.onnx_runner" in sys.orig_argv


def _load() -> None:
    import torch

    path = library_path()
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise ImportError(
            f"[samebits] {path}: expected a library built for torch {torch.__version__}, got {error}; run make build"
        ) from error


if not _is_onnx_runner():
    _load()
    from samebits import nn
    from samebits.model import Model, Package, QuantizedModel, Verification, capture, convert, load, prepare, save, verify
