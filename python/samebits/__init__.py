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
is computed in Python. `python -m samebits --version` and `python -m
samebits.onnx_runner` load no torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LIBRARY = "libsamebits_ops.so"
_HERE = Path(__file__).resolve().parent
_IS_INSTALLED = (_HERE / "version.txt").is_file()  # by cmake --install, into PREFIX/lib/samebits/python
_SOURCE_TREE = _HERE.parents[1]
__version__ = ((_HERE if _IS_INSTALLED else _SOURCE_TREE) / "version.txt").read_text().strip()

__all__ = ["Model", "Package", "QuantizedModel", "Verification", "capture", "convert", "load", "nn", "prepare", "save", "verify"]



def library_path() -> Path:
    """The operator library: $SAMEBITS_OPS_LIBRARY; or the first that exists of the file in this package,
    $SAMEBITS_BUILD_DIR/lib, and where this package was installed with it, or build/cpu/lib of the source tree.
    ImportError when there is none."""
    named = os.environ.get("SAMEBITS_OPS_LIBRARY")
    if named:
        candidates = [Path(named)]
    else:
        installed = _HERE.parents[2] if _IS_INSTALLED else _SOURCE_TREE / "build" / "cpu" / "lib"
        build = os.environ.get("SAMEBITS_BUILD_DIR")
        candidates = [_HERE / _LIBRARY, (Path(build) / "lib" if build else installed) / _LIBRARY]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ImportError(
        f"[samebits] {_LIBRARY}: expected one of {looked}, got none; "
        + ("" if _IS_INSTALLED else "run make build, or ")
        + "set SAMEBITS_OPS_LIBRARY"
    )


def _needs_torch() -> bool:
    # `-m` imports this package first; torch would take longer to load than most models take to run.
    run = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
    return run[:1] not in (["samebits"], ["samebits.onnx_runner"])


def _load() -> None:
    import torch

    path = library_path()
    try:
        torch.ops.load_library(path)
    except OSError as error:
        raise ImportError(
            f"[samebits] {path}: expected a library built for torch {torch.__version__}, got {error}; "
            + ("build samebits for it" if _IS_INSTALLED else "run make build")
        ) from error


if _needs_torch():
    _load()
    from samebits import nn
    from samebits.model import Model, Package, QuantizedModel, Verification, capture, convert, load, prepare, save, verify
