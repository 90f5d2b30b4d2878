"""Runs model.samebits on input.bin and writes output.bin, both float32: python3 run_package.py. Needs nothing but
lib/libsamebits_runtime.so; include/samebits/runtime.h says what its functions do."""

import array
import ctypes
import math
import pathlib
import sys

folder = pathlib.Path(__file__).resolve().parent
library = ctypes.CDLL(str(folder / "lib" / "libsamebits_runtime.so"))
library.samebits_last_error.restype = ctypes.c_char_p


class Array(ctypes.Structure):
    _fields_ = [
        ("values", ctypes.POINTER(ctypes.c_float)),
        ("sizes", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_size_t),
    ]


def call(function, *arguments):
    if getattr(library, function)(*arguments) != 0:
        sys.exit(f"error: {function}: {library.samebits_last_error().decode()}")


values = array.array("f", (folder / "input.bin").read_bytes())
model, runner = ctypes.c_void_p(), ctypes.c_void_p()
call("samebits_model_load", str(folder / "model.samebits").encode(), ctypes.byref(model))
call("samebits_runner_create", model, 1, ctypes.byref(runner))

sizes, rank = (ctypes.c_int64 * 8)(), ctypes.c_size_t()
call("samebits_model_input_sizes", model, ctypes.c_size_t(0), sizes, ctypes.c_size_t(8), ctypes.byref(rank))
sizes[0] = len(values) // math.prod(sizes[1 : rank.value])  # as many items as the file has
x = Array((ctypes.c_float * len(values)).from_buffer(values), sizes, rank)
call("samebits_runner_run", runner, ctypes.byref(x), ctypes.c_size_t(1))

y = Array()
call("samebits_runner_output", runner, ctypes.c_size_t(0), ctypes.byref(y))
count = math.prod(y.sizes[: y.rank])
(folder / "output.bin").write_bytes(array.array("f", y.values[:count]).tobytes())
print(f"{sizes[0]} items, {count} results")
library.samebits_runner_free(runner)
library.samebits_model_free(model)
