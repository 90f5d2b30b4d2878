"""Calls of the exact float operators that have a CUDA kernel: functions of one number, and what adds up rows."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from cases import COUNTS, LARGE, Case, values

FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "erf", "silu", "hardsigmoid", "hardswish", "sqrt", "rsqrt")
# Rows around the 64 lanes, a chunk of 4096 elements, and several of them; few rows, many rows, none.
ROWS = ((0, 5), (1, 1), (3, 7), (5, 63), (4, 64), (7, 65), (2, 4096), (3, 4097), (2, 9001), (1030, 96))


def rows(shape: tuple, has_specials: bool = False):
    return lambda g: values(g, shape, 0.05, specials=has_specials)


def function_cases() -> Iterator[Case]:
    for count in (*COUNTS, LARGE):
        for name in FUNCTIONS:
            yield Case("apply_function", f"{name} of {count}", lambda g, n=count, f=name: (values(g, n), f, [1.0] * 3), count < 5000)
    yield Case("apply_function", "elu", lambda g: (values(g, 4099), "elu", [2.0, 0.75, 0.5]))
    yield Case("apply_function", "leaky_relu", lambda g: (values(g, 4099), "leaky_relu", [0.01, 1.0, 1.0]))
    yield Case("apply_function", "gelu", lambda g: (values(g, 4099), "gelu", [1.0] * 3))
    yield Case("apply_function", "gelu, tanh", lambda g: (values(g, 4099), "gelu_tanh", [1.0] * 3))


def row_cases() -> Iterator[Case]:
    for shape in ROWS:
        small = shape[0] * shape[1] < 5000
        for has_specials in (False, True):
            x, label = rows(shape, has_specials), f"{shape}{', specials' if has_specials else ''}"
            for name in ("softmax", "log_softmax"):
                yield Case(name, label, lambda g, x=x: (x(g), -1), small)
            for name in ("sum", "mean", "amax"):
                yield Case(name, label, lambda g, x=x: (x(g), [1]), small)
        for affine in (False, True):
            x, label, n = rows(shape), f"{shape}{', weight and bias' if affine else ''}", shape[1]

            def weights(g, n=n, affine=affine):
                return (torch.randn(n, generator=g), torch.randn(n, generator=g)) if affine else (None, None)

            yield Case("native_layer_norm", label, lambda g, x=x, n=n, w=weights: (x(g), [n], *w(g), 1e-5), small)
            yield Case("rms_norm", label, lambda g, x=x, n=n, w=weights: (x(g), [n], w(g)[0], 1e-6), small)
    for shape in ((2, 6, 5, 7), (3, 8, 64, 65), (0, 4, 3, 3)):
        small, channels = shape[2] < 10, shape[1]
        yield Case("native_group_norm", str(shape), lambda g, s=shape, c=channels: (
            values(g, s, 0.05, specials=False), 2, torch.randn(c, generator=g), torch.randn(c, generator=g), 1e-5), small)
        yield Case("eval_batch_norm", str(shape), lambda g, s=shape, c=channels: (
            values(g, s, 0.05), torch.randn(c, generator=g), torch.randn(c, generator=g), torch.randn(c, generator=g),
            torch.rand(c, generator=g), 1e-5), small)
        yield Case("softmax", f"{shape}, along dimension 1", lambda g, s=shape: (values(g, s, 0.05, specials=False), 1), small)
        yield Case("mean", f"{shape}, images", lambda g, s=shape: (values(g, s, 0.05, specials=False), [2, 3], True), small)


def float_cases() -> Iterator[Case]:
    yield from function_cases()
    yield from row_cases()
