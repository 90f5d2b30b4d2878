"""Calls of every operator that has a CUDA kernel: values at which formulas break, shapes at which walks break. One table, for
comparison with the CPU, opcheck, synchronisation and capture. Arguments are made on the CPU."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial

import torch

OPS = torch.ops.samebits
FLOATS = (torch.float32, torch.bfloat16, torch.float16)
FORMATS = ("e4m3", "e5m2", "e3m2", "e2m3", "e2m1")
# Around a quad, a mask byte, a warp, a block; of many blocks; and more than 4096 blocks of quads, so that threads stride.
COUNTS = (0, 1, 3, 8, 9, 31, 257, 1025, 4099, 300_007)
LARGE = 4096 * 1024 + 12_345
LARGER = 4096 * 2048 + 12_345  # the same for octets


@dataclass(frozen=True)
class Case:
    operator: str
    label: str
    make: Callable[[torch.Generator], tuple]
    is_small: bool = True  # for opcheck, synchronisation and capture
    is_waiting: bool = False  # reads values back by design: the CPU decides
    tolerance: float = 0.0  # of the norm, where torch's own products stand in the result; 0: the same bits
    keywords: dict = field(default_factory=dict)

    def overload(self) -> Callable:
        """What torch.ops has: "linear" is its default overload, "linear.encoded" another."""
        name, _, overload = self.operator.partition(".")
        return getattr(getattr(OPS, name), overload or "default")

    def arguments(self) -> tuple:
        """The same at every call, whatever ran before."""
        seed = zlib.crc32(f"{self.operator} {self.label}".encode())
        return self.make(torch.Generator().manual_seed(seed))


def values(generator: torch.Generator, shape, scale: float = 0.1, dtype=torch.float32, specials: bool = True):
    """Reals around a grid of `scale`: a normal part, ties and their neighbours, and what is special. Large tensors are made
    once, since that takes longer than what is done with them."""
    shape = torch.Size([shape] if isinstance(shape, int) else shape)
    made = large_values if shape.numel() >= 100_000 else partial(new_values, generator)
    return made(shape.numel(), scale, dtype, specials).reshape(shape)


@lru_cache(maxsize=24)
def large_values(count: int, scale: float, dtype, specials: bool) -> torch.Tensor:
    return new_values(torch.Generator().manual_seed(count), count, scale, dtype, specials)


def new_values(generator: torch.Generator, count: int, scale: float, dtype, specials: bool) -> torch.Tensor:
    x = torch.randn(count, generator=generator) * (50 * scale)
    kind = torch.randint(0, 8, (count,), generator=generator)
    ties = (torch.randint(-140, 140, (count,), generator=generator).float() + 0.5) * scale
    x = torch.where(kind == 0, ties, x)
    x = torch.where(kind == 1, torch.nextafter(ties, torch.tensor(math.inf)), x)
    x = torch.where(kind == 2, torch.nextafter(ties, torch.tensor(-math.inf)), x)
    if specials:
        odd = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 1.1754942e-38, math.inf, -math.inf, math.nan, 3.4e38, -3.4e38, 65504.0])
        picked = odd[torch.randint(0, len(odd), (count,), generator=generator)]
        x = torch.where(torch.randint(0, 16, (count,), generator=generator) == 0, picked, x)
    return x.to(dtype)


def scales(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=generator) * 0.3 + 0.005


def zero_points(generator: torch.Generator, qmin: int, qmax: int, *shape: int) -> torch.Tensor:
    return torch.randint(qmin, qmax + 1, shape, generator=generator, dtype=torch.int32)


def codes(generator: torch.Generator, shape, low: int = -128, high: int = 127) -> torch.Tensor:
    return torch.randint(low, high + 1, shape if isinstance(shape, tuple) else (shape,), generator=generator, dtype=torch.int8)


def name_of(dtype) -> str:
    return str(dtype).removeprefix("torch.")


def grids(generator: torch.Generator, granularity: str, shape: tuple[int, ...], qmin: int, qmax: int):
    """scale, zero_point, then axis and group_size."""
    if granularity == "tensor":
        return scales(generator, 1), zero_points(generator, qmin, qmax, 1), 0, 0
    if granularity == "rows":
        return scales(generator, shape[0]), zero_points(generator, qmin, qmax, shape[0]), 0, 0
    if granularity == "columns":
        return scales(generator, shape[-1]), zero_points(generator, qmin, qmax, shape[-1]), len(shape) - 1, 0
    group_size = int(granularity.removeprefix("groups of "))
    size = (shape[0], -(-math.prod(shape[1:]) // group_size))
    return scales(generator, *size), zero_points(generator, qmin, qmax, *size), 0, group_size


GRANULARITIES = ("rows", "columns", "groups of 4", "groups of 7", "groups of 32")


def elementwise(operator: str, call: Callable, what: str = "") -> Iterator[Case]:
    """call(generator, x, granularity) -> arguments, for every count, type and granularity. `what` ends the labels."""
    for case in shapes_and_types(operator, call):
        yield replace(case, label=case.label + what)


def shapes_and_types(operator: str, call: Callable) -> Iterator[Case]:
    for count in (*COUNTS, LARGE):
        yield Case(operator, f"{count} elements", lambda g, n=count: call(g, values(g, n), "tensor"), count < 5000)
    for dtype in FLOATS[1:]:
        for count in (9, 4099, 300_007):
            label = f"{count} of {name_of(dtype)}"
            yield Case(operator, label, lambda g, n=count, d=dtype: call(g, values(g, n, dtype=d), "tensor"), count < 5000)
    for granularity in GRANULARITIES:
        for shape in ((5, 9), (33, 130), (700, 515)):
            label = f"{shape[0]} x {shape[1]} by {granularity}"
            yield Case(operator, label, lambda g, s=shape, k=granularity: call(g, values(g, s), k), shape[0] < 40)
    yield Case(operator, "a transposed view", lambda g: call(g, values(g, (65, 33)).t(), "rows"))
    yield Case(operator, "a view at an odd address", lambda g: call(g, values(g, 1000)[3:], "tensor"))


def affine(qmin: int = -100, qmax: int = 90):
    def call(generator, x, granularity):
        scale, zero_point, axis, group_size = grids(generator, granularity, tuple(x.shape), qmin, qmax)
        return x, scale, zero_point, qmin, qmax, axis, group_size

    return call


def learned(float_zero_point: bool, backward: bool):
    def call(generator, x, granularity):
        arguments = affine(-8, 7)(generator, x, granularity)
        if float_zero_point:
            fraction = torch.rand(arguments[2].shape, generator=generator) - 0.5
            arguments = (*arguments[:2], arguments[2].float() + fraction, *arguments[3:])
        if not backward:
            return arguments
        grad = values(generator, x.shape, 1.0, specials=False).to(x.dtype)
        return (grad, torch.nan_to_num(x), *arguments[1:])

    return call


def scale_only(*between):
    def call(generator, x, granularity):
        scale, _, axis, group_size = grids(generator, granularity, tuple(x.shape), 0, 0)
        return (x, scale, *between, axis, group_size)

    return call


def quantize_cases() -> Iterator[Case]:
    yield from elementwise("fake_quantize", affine())
    yield from elementwise("quantize", affine())
    yield Case("quantize", f"{LARGER} elements", lambda g: affine()(g, values(g, LARGER), "tensor"), False)
    for float_zero_point in (False, True):
        what = ", float zero points" if float_zero_point else ""
        yield from elementwise("fake_quantize_learned", learned(float_zero_point, False), what)
        yield from elementwise("fake_quantize_learned_backward", learned(float_zero_point, True), what)

    def stochastic(generator, x, granularity):
        arguments = affine()(generator, x, granularity)
        return (*arguments[:5], 1234567, 89, *arguments[5:])

    yield from elementwise("quantize_stochastic", stochastic)

    def dequantize(generator, x, granularity):
        scale, zero_point, axis, group_size = grids(generator, granularity, tuple(x.shape), -128, 127)
        return codes(generator, tuple(x.shape)), scale, zero_point, axis, group_size, x.dtype

    yield from elementwise("dequantize", dequantize)
    for dtype in FLOATS:
        for count in (*COUNTS, LARGE):
            yield Case(
                "fake_quantize_backward", f"{count} of {name_of(dtype)}",
                lambda g, n=count, d=dtype: (
                    values(g, n, dtype=d), torch.randint(0, 256, ((n + 7) // 8,), generator=g, dtype=torch.uint8)),
                count < 5000)


def format_cases() -> Iterator[Case]:
    codebooks = {"nf4": OPS.normal_float4(), "powers of two": OPS.powers_of_two(4), "additive": OPS.additive_powers_of_two(3, False)}
    for name, codebook in codebooks.items():
        yield from elementwise("fake_quantize_codebook", scale_only(codebook), f", {name}")
    for format in FORMATS:
        for saturate in (True, False) if format in ("e4m3", "e5m2") else (True,):
            what = f", {format}" + ("" if saturate else " without saturation")
            yield from elementwise("fake_quantize_float", scale_only(format, saturate), what)
    for format in (*FORMATS, "int8"):
        for dtype in FLOATS:
            for shape in ((0, 32), (1, 1), (3, 40), (65, 96), (700, 515), (33, 4096)):
                label = f"{format}, {shape[0]} x {shape[1]} of {name_of(dtype)}"
                yield Case("fake_quantize_mx", label,
                           lambda g, s=shape, f=format, d=dtype: (values(g, s, dtype=d), f), shape[0] < 66)
    for count in (0, 1, 2, 15, 16, 17, 4097, 300_007, LARGE * 4):
        yield Case("pack_int4", f"{count} codes", lambda g, n=count: (codes(g, n, -8, 7),), count < 5000)
        yield Case("unpack_int4", f"{count} codes",
                   lambda g, n=count: (torch.randint(0, 256, ((n + 1) // 2,), generator=g, dtype=torch.uint8), n), count < 5000)


def moving_average(generator, x, symmetric: bool, relu: bool | None = None):
    state = (torch.tensor([-1.5]), torch.tensor([2.5]), torch.tensor([3]), torch.tensor([0.05]), torch.tensor([4], dtype=torch.int32))
    return (x, *state, 0.1, -128, 127, symmetric) + (() if relu is None else (relu,))


def with_batches(arguments: tuple, batches: int) -> tuple:
    """The same state after `batches` of them; none: it is read by nobody."""
    return (*arguments[:3], torch.tensor([batches]), *arguments[4:])


def with_nan(x: torch.Tensor, has_one: bool) -> torch.Tensor:
    return x.index_fill(0, torch.tensor([x.numel() // 2]), math.nan) if has_one else x


def observe_cases() -> Iterator[Case]:
    for count in (*COUNTS, LARGE):
        small = count < 5000
        for dtype in FLOATS if count in (9, 300_007) else FLOATS[:1]:
            yield Case("observe", f"{count} of {name_of(dtype)}", lambda g, n=count, d=dtype: (values(g, n, dtype=d),), small)
        yield Case("relu", f"{count} elements", lambda g, n=count: (values(g, n),), small)
        for symmetric in (False, True):
            label = f"{count} elements, {'symmetric' if symmetric else 'affine'}"
            yield Case("observe_quantize", label + ", relu",
                       lambda g, n=count, s=symmetric: moving_average(g, values(g, n, specials=False), s, True), small)
            yield Case("observe_fake_quantize", label,
                       lambda g, n=count, s=symmetric: moving_average(g, values(g, n, specials=False), s), small)
        yield Case("observe_histogram", f"{count} elements",
                   lambda g, n=count: (values(g, n, specials=False), torch.zeros(2048, dtype=torch.int64),
                                       torch.tensor([-3.0, 4.0])), small, is_waiting=True)
    yield Case("observe_quantize", f"{LARGER} elements",
               lambda g: moving_average(g, values(g, LARGER, specials=False), False, True), False)
    for batches in (0, 3):
        for extremes in (False, True):
            yield Case("observe_quantize", f"4099 elements after {batches} batches, {'a NaN' if extremes else 'numbers'}",
                       lambda g, b=batches, e=extremes: with_batches(
                           moving_average(g, with_nan(values(g, 4099, specials=False), e), False, True), b))
            yield Case("move_grid", f"after {batches} batches, {'extremes' if extremes else 'averages'}",
                       lambda g, b=batches, e=extremes: (
                           *with_batches(moving_average(g, torch.tensor([-3.0, 7.5]), False), b), e))
    yield Case("move_grid", "an infinity", lambda g: moving_average(g, torch.tensor([-3.0, math.inf]), False))
    yield Case("move_grid", "nothing", lambda g: moving_average(g, torch.tensor([math.inf, -math.inf]), True))
    for rows, shape, group_size in ((1, (3, 1), 0), (5, (5, 9), 0), (33, (33, 130), 32), (33, (33, 130), 7), (700, (700, 515), 0),
                                    (2, (2, 300_007), 0)):
        yield Case("min_max", f"{shape[0]} x {shape[1]}, groups of {group_size}",
                   lambda g, r=rows, s=shape, k=group_size: (values(g, s), r, k), shape[0] < 40)
    for count in (1, 7, 4099):
        for symmetric in (False, True):
            def ranges(g, n=count, s=symmetric):
                ends = values(g, (2, n), specials=False).sort(0).values
                return ends[0].contiguous(), ends[1].contiguous(), -128, 127, s

            yield Case("grid_of_range", f"{count} ranges, {'symmetric' if symmetric else 'affine'}", ranges)

    def counted(g):
        counts, range = torch.zeros(2048, dtype=torch.int64), torch.tensor([-3.0, 4.0])
        OPS.observe_histogram(values(g, 50_000, specials=False), counts, range)
        return counts, range

    yield Case("percentile_range", "50000 values", lambda g: (*counted(g), 0.99), is_waiting=True)
    yield Case("least_error_range", "50000 values", lambda g: (*counted(g), -8, 7, True), is_waiting=True)


@dataclass(frozen=True)
class Layer:
    """A linear layer: m rows, n outputs, k inputs; groups: 0 a scale a channel, -1 one scale, else their size."""

    m: int
    n: int
    k: int
    groups: int = 0
    bits: int = 8
    zero_point: bool = False
    bias: bool = True

    def __str__(self) -> str:
        kind = {0: "channels", -1: "one scale"}.get(self.groups, f"groups of {self.groups}")
        return (f"{self.m} x {self.n} x {self.k}, {self.bits} bits, {kind}" + (", zero points" if self.zero_point else "")
                + ("" if self.bias else ", no bias"))

    def weight_grid(self, g):
        qmin, qmax = (-127, 127) if self.bits == 8 else (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1)
        if self.groups > 0:
            shape = (self.n, -(-self.k // self.groups))
        else:
            shape = (1,) if self.groups < 0 else (self.n,)
        zero_point = zero_points(g, qmin, qmax, *shape) if self.zero_point else None
        return scales(g, *shape) * 0.1, zero_point, qmin, qmax, max(self.groups, 0)

    def arguments(self, g, specials: bool = True) -> tuple:
        x = values(g, (self.m, self.k), 0.05, specials=specials)
        weight = torch.randn(self.n, self.k, generator=g) * (1.0 if self.bits == 8 else 0.1)
        bias = torch.randn(self.n, generator=g) if self.bias else None
        return (x, weight, bias, torch.tensor([0.05]), torch.tensor([-7], dtype=torch.int32), -128, 127, *self.weight_grid(g))


    def encoding(self) -> dict:
        """The keywords of linear.encoded."""
        _, _, qmin, qmax, group_size = self.weight_grid(torch.Generator())
        granularity = "group" if self.groups > 0 else "tensor" if self.groups < 0 else "channel"
        return {"weight_qmin": qmin, "weight_qmax": qmax, "weight_symmetric": not self.zero_point,
                "weight_granularity": granularity, "group_size": group_size}


LAYERS = (
    Layer(1, 1, 1), Layer(3, 5, 7), Layer(0, 8, 16), Layer(17, 9, 33), Layer(16, 16, 16), Layer(5, 12, 300, bias=False),
    Layer(64, 64, 128, -1), Layer(33, 200, 77, -1, 4), Layer(128, 768, 768), Layer(1, 3072, 768), Layer(1000, 513, 257, bits=6),
    Layer(2048, 1024, 1024), Layer(4, 4096, 4096), Layer(32, 40, 96, 0, 4, True), Layer(9, 33, 50, -1, 7, True),
    Layer(1, 1, 4, 4, 4), Layer(17, 70, 100, 20, 4, True), Layer(64, 64, 128, 32, 4, True), Layer(33, 129, 515, 128, 4),
    Layer(3, 4100, 2100), Layer(2, 33_000, 40), Layer(3, 8, 17_000), Layer(128, 768, 768, 32, 4, True), Layer(2, 3072, 768, 128, 8), Layer(700, 513, 1030, 64, 4, True, False),
)


def backward(g, layer: Layer, mode: str) -> tuple:
    """Small integers and scales that are powers of two, whose sums are exact in any order."""
    _, weight, _, _, _, qmin, qmax, scale, *weight_grid = layer.arguments(g, specials=False)
    grad = torch.randint(-3, 4, (layer.m, layer.n), generator=g).float()
    mask = torch.randint(0, 256, ((layer.m * layer.k + 7) // 8,), generator=g, dtype=torch.uint8)
    mask[-1] &= 0xFF >> (-layer.m * layer.k % 8)
    return (grad, codes(g, (layer.m, layer.k)), mask, torch.tensor([0.0625]), torch.tensor([-7], dtype=torch.int32), qmin, qmax,
            weight, torch.full_like(scale, 0.03125), *weight_grid, mode, None, [True] * 4)


def packed(g, layer: Layer):
    low = -8 if not layer.zero_point else 0
    weight = codes(g, (layer.n, layer.k), low, low + 15)
    shape = (layer.n, -(-layer.k // layer.groups)) if layer.groups > 0 else (layer.n,)
    zero_point = zero_points(g, low, low + 15, *shape) if layer.zero_point else None
    return OPS.pack_int4_weight(weight, scales(g, *shape) * 0.1, zero_point, low, max(layer.groups, 0))


def layer_cases() -> Iterator[Case]:
    def strided(g, change):
        x, *others = Layer(24, 40, 72).arguments(g)
        return change(x), *others

    yield Case("linear", "x of three dimensions", lambda g: strided(g, lambda x: x.reshape(2, 12, 72)))
    yield Case("linear", "x and its rows apart", lambda g: strided(g, lambda x: torch.cat([x, x], 1)[:, :72]))
    yield Case("linear", "x transposed", lambda g: strided(g, lambda x: x.t().contiguous().t()))
    for layer in LAYERS:
        small = layer.m * layer.n * layer.k < 1 << 20
        for relu, observe in ((False, False), (True, True)):
            label = str(layer) + (", relu, observe" if relu else "")
            yield Case("linear", label, lambda g, la=layer, r=relu, o=observe: (*la.arguments(g), r, o), small)
        yield Case("linear", f"{layer}, channels with factors",
                   lambda g, la=layer: (*la.arguments(g), False, False, "f32", torch.randn(la.n, generator=g)), small)
        yield Case("linear.encoded", str(layer), lambda g, la=layer: la.arguments(g)[:7], small, keywords=layer.encoding())
        if small and layer.m > 0:
            for mode in ("f32", "bf16"):
                yield Case("linear_backward", f"{layer}, {mode}", lambda g, la=layer, b=mode: backward(g, la, b))
        if layer.bits != 4 or layer.groups < 0 or layer.m == 0:
            continue

        def int4(g, la=layer, relu=False):
            levels = packed(g, la)
            bias = torch.randn(la.n, generator=g) if la.bias else None
            return (codes(g, (la.m, la.k)), torch.tensor([0.05]), torch.tensor([-7], dtype=torch.int32), *levels, la.n,
                    max(la.groups, 0), bias, relu)

        def weight_only(g, la=layer, dtype=torch.float32):
            levels = packed(g, la)
            bias = torch.randn(la.n, generator=g) if la.bias else None
            return values(g, (la.m, la.k), 0.05, dtype, specials=False), *levels, la.n, max(la.groups, 0), bias, False

        yield Case("linear_int4", str(layer), int4, small)
        for dtype in FLOATS:
            yield Case("linear_weight_only", f"{layer}, {name_of(dtype)}", lambda g, w=weight_only, d=dtype: w(g, dtype=d), small)


@dataclass(frozen=True)
class Conv:
    """A convolution: images, channels, pixels, outputs, kernel, window. bits: below 8 with a zero point too where asked."""

    images: int
    channels: int
    size: tuple[int, int]
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bits: int = 8
    one_scale: bool = False
    zero_point: bool = False
    bias: bool = True

    def __str__(self) -> str:
        window = "".join(f", {name} {pair[0]} x {pair[1]}" for name, pair, plain in (
            ("stride", self.stride, (1, 1)), ("padding", self.padding, (0, 0)), ("dilation", self.dilation, (1, 1))) if pair != plain)
        return (f"{self.images} x {self.channels} x {self.size[0]} x {self.size[1]} to {self.outputs} by {self.kernel[0]} x {self.kernel[1]}"
                + window + (f", {self.groups} groups" if self.groups > 1 else "") + f", {self.bits} bits"
                + (", one scale" if self.one_scale else "") + (", zero points" if self.zero_point else "")
                + ("" if self.bias else ", no bias"))

    def is_small(self) -> bool:
        return self.images * self.size[0] * self.size[1] * self.outputs * self.depth() < 1 << 22

    def depth(self) -> int:
        return self.channels // self.groups * self.kernel[0] * self.kernel[1]

    def window(self) -> tuple:
        return [*self.stride], [*self.padding], [*self.dilation], self.groups

    def range(self) -> tuple[int, int]:
        return (-127, 127) if self.bits == 8 else (-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1)

    def weight_grid(self, g) -> tuple:
        count = 1 if self.one_scale else self.outputs
        return scales(g, count) * 0.1, zero_points(g, *self.range(), count) if self.zero_point else None, *self.range()

    def weight(self, g):
        shape = (self.outputs, self.channels // self.groups, *self.kernel)
        return torch.randn(shape, generator=g) * (1.0 if self.bits == 8 else 0.1)

    def operands(self, g, specials: bool = True) -> tuple:
        x = values(g, (self.images, self.channels, *self.size), 0.05, specials=specials)
        return x, self.weight(g), torch.randn(self.outputs, generator=g) if self.bias else None, *self.window()

    def arguments(self, g, specials: bool = True) -> tuple:
        return (*self.operands(g, specials), torch.tensor([0.05]), torch.tensor([-7], dtype=torch.int32), -128, 127,
                *self.weight_grid(g))

    def encoding(self) -> dict:
        """The keywords of conv2d.encoded."""
        low, high = self.range()
        return {"weight_qmin": low, "weight_qmax": high, "weight_symmetric": not self.zero_point,
                "weight_granularity": "tensor" if self.one_scale else "channel"}

    def out_size(self) -> tuple[int, int]:
        pairs = zip(self.size, self.kernel, self.stride, self.padding, self.dilation)
        return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in pairs)

    def gradient(self, g) -> torch.Tensor:
        """Small integers, whose sums are exact in any order."""
        return torch.randint(-3, 4, (self.images, self.outputs, *self.out_size()), generator=g).float()


CONVS = (
    Conv(1, 1, (1, 1), 1, (1, 1)), Conv(0, 3, (5, 5), 4, (3, 3)), Conv(2, 3, (9, 9), 4, (3, 3), (2, 2), (1, 1)),
    Conv(3, 2, (11, 11), 3, (3, 3), (1, 1), (2, 2), (2, 2)), Conv(1, 1, (2, 2), 2, (3, 3), (1, 1), (3, 3)),
    Conv(2, 3, (5, 13), 4, (2, 5), (1, 3), (0, 2), (2, 1), bias=False), Conv(2, 2, (1, 19), 3, (1, 4), (1, 2), (0, 3), (1, 2)),
    Conv(2, 6, (6, 6), 4, (3, 3), (1, 1), (1, 1), groups=2), Conv(2, 3, (8, 8), 27, (3, 3), (1, 1), (1, 1), groups=3),
    Conv(2, 5, (7, 7), 5, (3, 3), (1, 1), (1, 1), groups=5), Conv(3, 3, (17, 17), 6, (3, 3), (4, 4), (3, 3), (2, 2), groups=3),
    Conv(2, 16, (9, 7), 33, (3, 3), (1, 1), (1, 1), bits=4), Conv(2, 17, (7, 5), 64, (2, 2), (1, 1), (1, 0), one_scale=True),
    Conv(2, 40, (5, 5), 10, (3, 3), (1, 1), (1, 1), groups=2, bits=7, zero_point=True),
    Conv(3, 12, (8, 9), 20, (1, 1), bits=4, one_scale=True, zero_point=True),
    Conv(16, 1, (28, 28), 32, (3, 3), (1, 1), (1, 1)), Conv(16, 3, (32, 32), 24, (5, 5), (2, 2), (2, 2)),
    Conv(8, 32, (14, 14), 64, (3, 3), (1, 1), (1, 1)), Conv(8, 70, (13, 15), 130, (3, 3), (2, 1), (1, 1)),
    Conv(8, 64, (28, 28), 256, (1, 1)), Conv(4, 256, (14, 14), 256, (3, 3), (1, 1), (1, 1)),
    Conv(8, 96, (28, 28), 96, (3, 3), (1, 1), (1, 1), groups=96), Conv(8, 48, (30, 30), 96, (5, 5), (2, 2), (2, 2), groups=48),
    Conv(300, 64, (30, 30), 40, (3, 3), (1, 1), (1, 1)),  # more than 2048 tiles of pixels
)


def conv_backward(g, conv: Conv, mode: str) -> tuple:
    """As backward() of a linear layer: scales that are powers of two."""
    scale, zero_point, low, high = conv.weight_grid(g)
    count = conv.images * conv.channels * conv.size[0] * conv.size[1]
    mask = torch.randint(0, 256, ((count + 7) // 8,), generator=g, dtype=torch.uint8)
    mask[-1] &= 0xFF >> (-count % 8)
    return (conv.gradient(g), codes(g, (conv.images, conv.channels, *conv.size)), mask, torch.tensor([0.0625]),
            torch.tensor([-7], dtype=torch.int32), -128, 127, conv.weight(g), torch.full_like(scale, 0.03125), zero_point, low, high,
            *conv.window(), mode, None, [True] * 4)


POOLS = (((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((2, 5), (3, 1), (1, 2)), ((1, 1), (2, 3), (0, 0)), ((15, 17), (1, 1), (7, 8)))


def conv_cases() -> Iterator[Case]:
    for conv in CONVS:
        small = conv.is_small()
        for relu, observe in ((False, False), (True, True)):
            label = str(conv) + (", relu, observe" if relu else "")
            yield Case("conv2d", label, lambda g, c=conv, r=relu, o=observe: (*c.arguments(g), r, o), small)
        yield Case("conv2d", f"{conv}, channels with factors",
                   lambda g, c=conv: (*c.arguments(g), False, False, "f32", torch.randn(c.outputs, generator=g)), small)
        yield Case("conv2d.encoded", str(conv), lambda g, c=conv: c.arguments(g)[:11], small, keywords=conv.encoding())
        yield Case("float_conv2d", str(conv), lambda g, c=conv: c.operands(g), small)
        yield Case("float_conv2d", f"{conv}, channels with factors",
                   lambda g, c=conv: (*c.operands(g), torch.randn(c.outputs, generator=g)), small)
        for mode, tolerance in (("f32", 3e-5), ("bf16", 1e-2)) if small and conv.images > 0 else ():
            yield Case("conv2d_backward", f"{conv}, {mode}", lambda g, c=conv, m=mode: conv_backward(g, c, m), tolerance=tolerance)
    yield Case("conv2d", "x with its channels last",
               lambda g: (lambda x, *others: (x.contiguous(memory_format=torch.channels_last), *others))(*CONVS[2].arguments(g)))
    for m, n, k in ((1, 1, 1), (0, 4, 8), (3, 5, 7), (64, 64, 64), (65, 66, 67), (1, 3072, 768), (128, 768, 768), (300, 70, 2050)):
        def floats(g, m=m, n=n, k=k):
            return values(g, (m, k), 0.05), torch.randn(n, k, generator=g), torch.randn(n, generator=g)

        yield Case("float_linear", f"{m} x {n} x {k}", floats, m * n * k < 1 << 20)
        yield Case("float_linear", f"{m} x {n} x {k}, no bias", lambda g, f=floats: f(g)[:2], m * n * k < 1 << 20)
        yield Case("float_linear", f"{m} x {n} x {k}, channels with factors",
                   lambda g, f=floats, n=n: (*f(g), torch.randn(n, generator=g)), m * n * k < 1 << 20)
    for kernel, stride, padding in POOLS:
        for shape in ((2, 3, 17, 19), (1, 1, 15, 17), (0, 2, 17, 17), (64, 32, 56, 57)):
            small = math.prod(shape) < 5000
            label = f"{shape}, {kernel}, stride {stride}, padding {padding}"
            window = [*kernel], [*stride], [*padding]
            yield Case("max_pool2d", label, lambda g, s=shape, w=window: (values(g, s), *w), small)

            def pool_backward(g, s=shape, w=window):
                places = OPS.max_pool2d(torch.randn(s, generator=g), *w)[1]
                return torch.randn(places.shape, generator=g), places, [*s[2:]], *w

            yield Case("max_pool2d_backward", label, pool_backward, small)


def all_cases() -> list[Case]:
    from float_cases import float_cases  # which is made of what stands above

    return [*layer_cases(), *conv_cases(), *float_cases(), *quantize_cases(), *observe_cases(), *format_cases()]
