"""samebits for Python: importing it loads the operators, torch.ops.samebits.*.

The operators, their Meta kernels and their gradients are registered by libsamebits_ops.so, the library that C++
programs link; this package only finds it. `python -m samebits.onnx_runner` is the one use that loads no torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LIBRARY = "libsamebits_ops.so"
_SOURCE_TREE = Path(__file__).resolve().parents[2]


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
