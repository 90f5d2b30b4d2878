"""What the operators cost on a card, in turn with what they stand in for: medians of CUDA events, variants interleaved. Writes
a line of JSON a row: case, variant, metric, value, unit, and its ratio to the case's reference.

    python3 tools/gpu_check/bench.py --device cuda --json FILE [--seconds N] [--tiny]
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import traceback
import warnings
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import samebits  # noqa: E402, F401  (loads the operators)

OPS = torch.ops.samebits
F = torch.nn.functional
ENCODING = {"weight_qmin": -127, "weight_qmax": 127}


class Bench:
    def __init__(self, options):
        self.device, self.tiny = options.device, options.tiny
        self.file = open(options.json, "a", buffering=1)
        self.end = time.monotonic() + options.seconds
        self.generator = torch.Generator(self.device).manual_seed(1)

    def has_time(self) -> bool:
        return time.monotonic() < self.end

    def row(self, case: str, variant: str, metric: str, value: float, unit: str, ratio: float | None = None, **more):
        self.file.write(json.dumps({"case": case, "variant": variant, "metric": metric, "value": value, "unit": unit,
                                    "ratio": ratio, **more}) + "\n")

    def randn(self, *shape, dtype=torch.float32) -> torch.Tensor:
        return torch.randn(*shape, device=self.device, generator=self.generator).to(dtype)

    def full(self, value, *shape, dtype=torch.float32) -> torch.Tensor:
        return torch.full(shape, value, device=self.device, dtype=dtype)

    def codes(self, *shape, low=-127, high=127) -> torch.Tensor:
        return torch.randint(low, high + 1, shape, device=self.device, generator=self.generator, dtype=torch.int8)

    def times(self, calls: dict, repeats: int = 20, budget: float = 4.0) -> dict[str, tuple[float, float, float]]:
        """Milliseconds of each call: median, least, greatest. Calls that fail are rows of their own."""
        alive = {}
        for name, call in calls.items():
            try:
                for _ in range(1 if self.tiny else 3):
                    call()
                self.wait()
                alive[name] = call
            except RuntimeError as error:
                self.row("failed", name, "error", 0.0, str(error).strip().splitlines()[0][:500])
        taken = {name: [] for name in alive}
        end = min(time.monotonic() + budget, self.end)
        for _ in range(1 if self.tiny else repeats):
            for name, call in alive.items():
                taken[name].append(self.one(call))
            self.wait()
            if time.monotonic() > end:
                break
        read = [(name, [self.milliseconds(pair) for pair in pairs]) for name, pairs in taken.items()]
        return {name: (statistics.median(ms), min(ms), max(ms)) for name, ms in read}

    def wait(self):
        if self.device != "cpu":
            torch.cuda.synchronize()

    def one(self, call):
        if self.device == "cpu":
            began = time.perf_counter()
            call()
            return began, time.perf_counter()
        pair = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        pair[0].record()
        call()
        pair[1].record()
        return pair

    def milliseconds(self, pair) -> float:
        return 1e3 * (pair[1] - pair[0]) if self.device == "cpu" else pair[0].elapsed_time(pair[1])

    def graphed(self, call):
        """The call as a replay of its CUDA graph, so that small kernels are not timed by their launches; itself on the CPU."""
        if self.device == "cpu":
            return call
        from checks import capture

        graph, _ = capture(call)
        return graph.replay

    def graphs(self, calls: dict, names) -> dict:
        """Those of `names` besides, as "NAME, graph". One that cannot be captured is a row of its own."""
        made = {}
        for name in names:
            try:
                made[f"{name}, graph"] = self.graphed(calls[name])
            except RuntimeError as error:
                self.row("failed", f"{name}, graph", "error", 0.0, str(error).strip().splitlines()[0][:500])
        return made

    def warm_up(self):
        """Brings the clocks up, so that the first case is no slower for being first."""
        if self.device != "cpu":
            a = self.randn(4096, 4096, dtype=torch.bfloat16)
            for _ in range(1500):
                a @ a
            self.wait()


def bandwidth(bench: Bench, case: str, calls: dict, bytes_of: dict):
    """Rows of GB/s, and their share of the first call, a copy."""
    taken = bench.times(calls)
    rates = {name: bytes_of[name] / ms[0] / 1e6 for name, ms in taken.items()}
    copy = rates.get("copy")
    for name, rate in rates.items():
        bench.row(case, name, "bandwidth", round(rate, 1), "GB/s", round(rate / copy, 3) if copy else None,
                  ms=round(taken[name][0], 4), least_ms=round(taken[name][1], 4), greatest_ms=round(taken[name][2], 4))


def elementwise(bench: Bench):
    n = 1 << (12 if bench.tiny else 27)
    rows = 1 << (4 if bench.tiny else 13)
    for dtype in (torch.float32, torch.bfloat16):
        size = dtype.itemsize
        x, grad = bench.randn(rows, n // rows, dtype=dtype), bench.randn(rows, n // rows, dtype=dtype)
        out, mask = torch.empty_like(x), torch.zeros(n // 8, dtype=torch.uint8, device=bench.device)
        scale, zero_point = bench.full(0.05, 1), bench.full(3, 1, dtype=torch.int32)
        row_scale, row_zero = bench.full(0.05, rows), bench.full(3, rows, dtype=torch.int32)
        group_scale, group_zero = bench.full(0.05, rows, n // rows // 32), bench.full(3, rows, n // rows // 32, dtype=torch.int32)
        state = lambda: (bench.full(-1.0, 1), bench.full(1.0, 1), bench.full(3, 1, dtype=torch.int64), scale.clone(), zero_point.clone())  # noqa: E731
        moving = state()
        codes = OPS.quantize(x, scale, zero_point, -128, 127)[0]
        calls = {
            "copy": lambda: out.copy_(x),
            "fake_quantize": lambda: OPS.fake_quantize(x, scale, zero_point, -128, 127),
            "fake_quantize, rows": lambda: OPS.fake_quantize(x, row_scale, row_zero, -128, 127, 0),
            "fake_quantize, groups of 32": lambda: OPS.fake_quantize(x, group_scale, group_zero, -8, 7, 0, 32),
            "fake_quantize_backward": lambda: OPS.fake_quantize_backward(grad, mask),
            "quantize": lambda: OPS.quantize(x, scale, zero_point, -128, 127),
            "dequantize": lambda: OPS.dequantize(codes, scale, zero_point, 0, 0, dtype),
            "observe": lambda: OPS.observe(x),
            "observe_quantize": lambda: OPS.observe_quantize(x, *moving, 0.01, -128, 127),
            "observe_fake_quantize": lambda: OPS.observe_fake_quantize(x, *moving, 0.01, -128, 127),
            "LSQ backward": lambda: OPS.fake_quantize_learned_backward(grad, x, scale, zero_point, -128, 127),
            "LSQ backward, rows": lambda: OPS.fake_quantize_learned_backward(grad, x, row_scale, row_zero, -128, 127, 0),
            "fake_quantize_mx e4m3": lambda: OPS.fake_quantize_mx(x, "e4m3"),
            "fake_quantize_float e4m3": lambda: OPS.fake_quantize_float(x, scale, "e4m3"),
            "fake_quantize_codebook nf4": lambda: OPS.fake_quantize_codebook(x, scale, OPS.normal_float4()),
            "quantize_stochastic": lambda: OPS.quantize_stochastic(x, scale, zero_point, -128, 127, 3),
        }
        both = 2 * size + 1 / 8
        bytes_of = {name: n * both for name in calls} | {
            "copy": n * 2 * size, "quantize": n * (size + 1 + 1 / 8), "dequantize": n * (size + 1), "observe": n * size,
            "observe_quantize": n * (size + 1 + 1 / 8), "LSQ backward": n * 3 * size, "LSQ backward, rows": n * 3 * size,
            "quantize_stochastic": n * (size + 1 + 1 / 8)}
        if dtype == torch.float32:
            calls |= aten_elementwise(x, grad, scale, zero_point, row_scale, row_zero)
            calls["min_max"] = lambda: OPS.min_max(x)
            calls["min_max, rows"] = lambda: OPS.min_max(x, rows)
            calls["relu"] = lambda: OPS.relu(x)
            bytes_of |= {name: n * (3 * size if "LSQ" in name else 2 * size + 1) for name in calls if name.startswith("ATen")}
            bytes_of |= {"min_max": n * size, "min_max, rows": n * size, "relu": n * both}
        bandwidth(bench, f"elementwise, 2^{n.bit_length() - 1} {str(dtype).removeprefix('torch.')}", calls, bytes_of)
        del x, grad, out, codes


def aten_elementwise(x, grad, scale, zero_point, row_scale, row_zero) -> dict:
    ones = torch.ones(1, dtype=torch.int64, device=x.device)
    ends = torch.tensor([-1.0], device=x.device), torch.tensor([1.0], device=x.device)
    learned_zero, own = zero_point.float(), (scale.clone(), zero_point.clone())
    return {
        "ATen fake_quantize": lambda: torch.fake_quantize_per_tensor_affine(x, scale, zero_point, -128, 127),
        "ATen fake_quantize, rows": lambda: torch.fake_quantize_per_channel_affine(x, row_scale, row_zero, 0, -128, 127),
        "ATen fused_moving_avg_obs_fake_quant": lambda: torch.fused_moving_avg_obs_fake_quant(
            x, ones, ones, *ends, *own, 0.01, -128, 127, 0),
        "ATen LSQ backward": lambda: torch.ops.aten._fake_quantize_learnable_per_tensor_affine_backward(
            grad, x, scale, learned_zero, -128, 127, 1.0),
    }


def beside(taken: dict, reference: str, name: str) -> float | None:
    """The time of what `name` is compared with: a graph with the graph of the reference."""
    if name.endswith(", graph") and f"{reference}, graph" in taken:
        reference = f"{reference}, graph"
    return taken[reference][0] if reference in taken else None


def rates(bench: Bench, case: str, calls: dict, operations: float, reference: str, repeats: int = 20):
    taken = bench.times(calls, repeats, budget=2.0)
    for name, (median, least, greatest) in taken.items():
        base = beside(taken, reference, name)
        ratio = round(base / median, 3) if base else None
        bench.row(case, name, "rate", round(operations / median / 1e9, 2), "TOPS", ratio, ms=round(median, 4),
                  least_ms=round(least, 4), greatest_ms=round(greatest, 4))


def linear_products(bench: Bench):
    """linear, all of it, beside the products alone. The ratio is to bf16: above 1 is faster."""
    shapes = [(32, 48, 64)] if bench.tiny else [
        (4096, 4096, 4096), (4096, 768, 768), (4096, 3072, 768), (4096, 768, 3072), (4096, 1024, 1024), (4096, 2048, 2048),
        (8192, 8192, 8192), (4096, 16384, 4096), (128, 4096, 4096)]
    bench.warm_up()
    for m, n, k in shapes:
        if not bench.has_time():
            return
        x, weight, bias = bench.randn(m, k), bench.randn(n, k), bench.randn(n)
        x16, weight16, bias16 = (t.bfloat16() for t in (x, weight, bias))
        a, b = bench.codes(m, k), bench.codes(n, k)
        scale, zero_point, weight_scale = bench.full(0.05, 1), bench.full(3, 1, dtype=torch.int32), bench.full(0.02, n)
        group_scale = bench.full(0.02, n, k // 32)
        grid = (scale, zero_point, -128, 127)

        def tf32():
            torch.backends.cuda.matmul.allow_tf32 = True
            y = F.linear(x, weight, bias)
            torch.backends.cuda.matmul.allow_tf32 = False
            return y

        calls = {
            "bf16": lambda: F.linear(x16, weight16, bias16),
            "linear": lambda: OPS.linear(x, weight, bias, *grid, weight_scale, None, -127, 127),
            "linear.encoded": lambda: OPS.linear.encoded(x, weight, bias, *grid, observe=True, **ENCODING),
            "_int_mm": lambda: torch._int_mm(a, b.t()),
            "fp32": lambda: F.linear(x, weight, bias),
            "tf32": tf32,
            "quantize x": lambda: OPS.quantize(x, *grid),
            "quantize weight": lambda: OPS.quantize(weight, weight_scale, weight_scale.int(), -127, 127, 0),
        }
        if m * n * k <= 4096**3:
            calls["linear, groups of 32"] = lambda: OPS.linear(x, weight, bias, *grid, group_scale, None, -8, 7, 32)
        calls |= bench.graphs(calls, ("bf16", "linear.encoded", "_int_mm"))
        rates(bench, f"linear {m} x {n} x {k}", calls, 2.0 * m * n * k, "bf16", 15)
        del x, weight, x16, weight16, a, b


def packed_weight(bench: Bench, n: int, k: int, group_size: int):
    generator = torch.Generator().manual_seed(3)
    codes = torch.randint(-8, 8, (n, k), generator=generator, dtype=torch.int8)
    scale = torch.full((n, -(-k // group_size)) if group_size else (n,), 0.02)
    return [t.to(bench.device) for t in OPS.pack_int4_weight(codes, scale, None, -8, group_size)]


def four_bits(bench: Bench):
    """Weights of 4 bits beside bf16, a few weights in turn so that they do not stay in the cache. Ratio to bf16."""
    n, k, copies = (64, 64, 1) if bench.tiny else (4096, 4096, 6)
    for group_size in (128, 0):
        weights = [packed_weight(bench, n, k, group_size)]
        weights += [[t.clone() for t in weights[0]] for _ in range(copies - 1)]
        dense = [bench.randn(n, k, dtype=torch.bfloat16) for _ in range(copies)]
        for m in (1, 16, 2048):
            if not bench.has_time():
                return
            x, codes = bench.randn(m, k), bench.codes(m, k, low=-128)
            x16, grid = x.bfloat16(), (bench.full(0.05, 1), bench.full(3, 1, dtype=torch.int32))

            def each(call, of=weights):
                return lambda: [call(weight) for weight in of]

            calls = {
                "bf16": each(lambda w: F.linear(x16, w), dense),  # noqa: B023
                "linear_int4": each(lambda w: OPS.linear_int4(codes, *grid, *w, n, group_size)),  # noqa: B023
                "linear_weight_only f32": each(lambda w: OPS.linear_weight_only(x, *w, n, group_size)),  # noqa: B023
                "linear_weight_only bf16": each(lambda w: OPS.linear_weight_only(x16, *w, n, group_size)),  # noqa: B023
            }
            try:
                calls = {name: bench.graphed(call) for name, call in calls.items()}
            except RuntimeError as error:
                bench.row("failed", "capture of four bits", "error", 0.0, str(error).splitlines()[0][:300])
            rates(bench, f"{m} x {n} x {k}, 4 bits, groups of {group_size}, {copies} weights", calls, 2.0 * m * n * k * copies, "bf16")


class FeedForward:
    """x -> up -> relu -> down, as float layers, simulated quantization, or ours. Grids of x are fixed, the weights' are found."""

    def __init__(self, bench: Bench, width: int, tokens: int):
        hidden = 4 * width
        self.x = bench.randn(tokens, width)
        self.weights = [(bench.randn(hidden, width) * width**-0.5).requires_grad_(), (bench.randn(width, hidden) * hidden**-0.5).requires_grad_()]
        self.biases = [torch.zeros(hidden, device=bench.device, requires_grad=True), torch.zeros(width, device=bench.device, requires_grad=True)]
        self.grids = [(bench.full(0.03, 1), bench.full(0, 1, dtype=torch.int32)), (bench.full(0.02, 1), bench.full(-128, 1, dtype=torch.int32))]

    def parameters(self):
        return [*self.weights, *self.biases]

    def plain(self):
        return F.linear(F.relu(F.linear(self.x, self.weights[0], self.biases[0])), self.weights[1], self.biases[1])

    def simulated(self):
        y = self.x
        for i in range(2):
            scale = self.weights[i].detach().abs().amax(1) / 127
            weight = torch.fake_quantize_per_channel_affine(self.weights[i], scale, torch.zeros_like(scale, dtype=torch.int32), 0, -127, 127)
            y = torch.fake_quantize_per_tensor_affine(F.relu(y) if i else y, *self.grids[i], -128, 127)
            y = F.linear(y, weight, self.biases[i])
        return y

    def ours(self, backward="f32"):
        y = self.x
        for i in range(2):
            y = OPS.linear.encoded(y, self.weights[i], self.biases[i], *self.grids[i], -128, 127, relu_input=i == 1, observe=True,
                                   backward=backward, **ENCODING)[0]
        return y


class Convolutions:
    """Convolutions of 3 x 3 with relus, a pool behind each but the last where asked for, then a linear layer; as FeedForward."""

    def __init__(self, bench: Bench, channels: tuple[int, ...], size: int, images: int, has_pools: bool):
        self.x, self.has_pools, side = bench.randn(images, channels[0], size, size), has_pools, size
        pairs = list(zip(channels, channels[1:]))
        if has_pools:
            side = size // 2 ** len(pairs)
        self.weights = [(bench.randn(out, into, 3, 3) * (9 * into)**-0.5).requires_grad_() for into, out in pairs]
        self.weights.append((bench.randn(10, channels[-1] * side * side) * (channels[-1] * side * side)**-0.5).requires_grad_())
        self.biases = [torch.zeros(weight.size(0), device=bench.device, requires_grad=True) for weight in self.weights]
        self.grids = [(bench.full(0.03, 1), bench.full(-128 if i else 0, 1, dtype=torch.int32)) for i in range(len(self.weights))]

    def parameters(self):
        return [*self.weights, *self.biases]

    def run(self, conv, linear, pool):
        y = self.x
        for i in range(len(self.weights) - 1):
            y = conv(i, y)
            if self.has_pools:
                y = pool(y)
        return linear(len(self.weights) - 1, y.flatten(1))

    def plain(self):
        return self.run(lambda i, y: F.conv2d(F.relu(y) if i else y, self.weights[i], self.biases[i], padding=1),
                        lambda i, y: F.linear(F.relu(y), self.weights[i], self.biases[i]), lambda y: F.max_pool2d(y, 2))

    def simulated(self):
        def on_grids(i, y):
            scale = self.weights[i].detach().flatten(1).abs().amax(1) / 127
            weight = torch.fake_quantize_per_channel_affine(self.weights[i], scale, torch.zeros_like(scale, dtype=torch.int32), 0, -127, 127)
            return torch.fake_quantize_per_tensor_affine(F.relu(y) if i else y, *self.grids[i], -128, 127), weight, self.biases[i]

        return self.run(lambda i, y: F.conv2d(*on_grids(i, y), padding=1), lambda i, y: F.linear(*on_grids(i, y)),
                        lambda y: F.max_pool2d(y, 2))

    def ours(self, backward="f32"):
        def layer(operator, i, y, *window):
            return operator(y, self.weights[i], self.biases[i], *window, *self.grids[i], -128, 127, relu_input=i > 0, observe=True,
                            backward=backward, **ENCODING)[0]

        return self.run(lambda i, y: layer(OPS.conv2d.encoded, i, y, [1, 1], [1, 1], [1, 1], 1),
                        lambda i, y: layer(OPS.linear.encoded, i, y), lambda y: OPS.max_pool2d(y, [2, 2], [2, 2], [0, 0])[0])


def training_step(bench: Bench):
    """Forward, backward and SGD. Ratio: time of the step to that of bf16 autocast; saved is what forward keeps."""
    for width, tokens in [(16, 32)] if bench.tiny else [(4096, 4096), (768, 4096), (2048, 4096)]:
        if not bench.has_time():
            return
        case = f"training step, FFN {width}-{4 * width}-{width}, {tokens} tokens"
        step_of(bench, case, FeedForward(bench, width, tokens), bench.randn(tokens, width), width != 2048)


def cnn_step(bench: Bench):
    for channels, size, images, has_pools in [((2, 4, 4), 8, 2, True)] if bench.tiny else [((1, 32, 64), 28, 1024, True),
                                                                                         ((64, 64, 64, 64), 28, 256, False)]:
        if not bench.has_time():
            return
        case = f"training step, CNN {'-'.join(map(str, channels))}{', pools' if has_pools else ''}, {images} images of {size} x {size}"
        step_of(bench, case, Convolutions(bench, channels, size, images, has_pools), bench.randn(images, 10), True)


def step_of(bench: Bench, case: str, network, target, is_profiled: bool):
    def step(forward, tf32=False, autocast=False):
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
        is_captured = bench.device != "cpu" and torch.cuda.is_current_stream_capturing()
        with torch.autocast(bench.device, torch.bfloat16, enabled=autocast, cache_enabled=not is_captured):
            y = forward()
        (y.float() - target).square().mean().backward()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.sub_(parameter.grad, alpha=1e-3)
                parameter.grad = None
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False

    calls = {
        "bf16 autocast": lambda: step(network.plain, autocast=True),
        "ours, bf16 backward": lambda: step(lambda: network.ours("bf16")),
        "ours, f32 backward": lambda: step(network.ours),
        "ours, tf32 backward": lambda: step(network.ours, tf32=True),
        "fp32": lambda: step(network.plain),
        "tf32": lambda: step(network.plain, tf32=True),
        "simulated, fp32": lambda: step(network.simulated),
        "simulated, tf32": lambda: step(network.simulated, tf32=True),
        "simulated, bf16 autocast": lambda: step(network.simulated, autocast=True),
    }
    taken = bench.times(calls, 10, budget=6.0)
    captured = bench.graphs(calls, ("bf16 autocast", "ours, bf16 backward"))
    taken |= bench.times(captured, 10, budget=2.0)
    for name, (median, least, greatest) in taken.items():
        base = beside(taken, "bf16 autocast", name)
        ratio = round(median / base, 3) if base else None
        bench.row(case, name, "time", round(median, 3), "ms", ratio, least_ms=round(least, 3), greatest_ms=round(greatest, 3))
    del captured
    for name, forward in (("fp32", network.plain), ("simulated, fp32", network.simulated), ("ours, f32 backward", network.ours),
                          ("ours, bf16 backward", lambda: network.ours("bf16"))):
        bench.row(case, name, "saved", saved_bytes(forward, network.parameters()) / 1e6, "MB")
        if bench.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            step(forward)
            bench.row(case, name, "peak", (torch.cuda.max_memory_allocated() - before) / 1e6, "MB")
    if bench.device != "cpu" and is_profiled:
        profile(bench, case, calls["ours, bf16 backward"])


def conv_products(bench: Bench):
    """conv2d, all of it, beside cuDNN's: bf16 with channels last, its fastest, and as a network in NCHW has it. Ratio to the first."""
    shapes = [(2, 3, 8, 4, 3, 1)] if bench.tiny else [  # images, channels, size, outputs, kernel, groups
        (64, 64, 56, 64, 3, 1), (64, 128, 28, 128, 3, 1), (64, 256, 14, 256, 3, 1), (64, 256, 56, 64, 1, 1), (64, 3, 112, 32, 3, 1),
        (1024, 32, 14, 64, 3, 1), (64, 96, 56, 96, 3, 96)]
    torch.backends.cudnn.benchmark = bench.device != "cpu"  # cuDNN's best algorithm
    bench.warm_up()
    for images, channels, size, outputs, kernel, groups in shapes:
        if not bench.has_time():
            break
        x, weight, bias = bench.randn(images, channels, size, size), bench.randn(outputs, channels // groups, kernel, kernel), bench.randn(outputs)
        x16, weight16, bias16 = (t.bfloat16() for t in (x, weight, bias))
        x_last, weight_last = (t.contiguous(memory_format=torch.channels_last) for t in (x16, weight16))
        padding, weight_scale = kernel // 2, bench.full(0.02, outputs)
        window = ([1, 1], [padding, padding], [1, 1], groups)
        grid = (bench.full(0.05, 1), bench.full(3, 1, dtype=torch.int32), -128, 127)

        def float32(tf32):
            torch.backends.cudnn.allow_tf32 = tf32
            y = F.conv2d(x, weight, bias, padding=padding, groups=groups)  # noqa: B023
            torch.backends.cudnn.allow_tf32 = False
            return y

        calls = {
            "bf16": lambda: F.conv2d(x_last, weight_last, bias16, padding=padding, groups=groups),  # noqa: B023
            "bf16, NCHW": lambda: F.conv2d(x16, weight16, bias16, padding=padding, groups=groups),  # noqa: B023
            "conv2d": lambda: OPS.conv2d(x, weight, bias, *window, *grid, weight_scale, None, -127, 127),  # noqa: B023
            "conv2d.encoded": lambda: OPS.conv2d.encoded(x, weight, bias, *window, *grid, observe=True, **ENCODING),  # noqa: B023
            "fp32": lambda: float32(False),  # noqa: B023
            "tf32": lambda: float32(True),  # noqa: B023
            "float_conv2d": lambda: OPS.float_conv2d(x, weight, bias, *window),  # noqa: B023
        }
        calls |= bench.graphs(calls, ("bf16", "bf16, NCHW", "conv2d.encoded"))
        case = f"conv2d {images} x {channels} x {size} x {size} to {outputs} by {kernel} x {kernel}" + (", depthwise" if groups > 1 else "")
        rates(bench, case, calls, 2.0 * images * size * size * outputs * (channels // groups) * kernel * kernel, "bf16", 15)
        if bench.device != "cpu" and channels in (64, 3):
            profile(bench, case, calls["conv2d.encoded"])
        del x, weight, x16, weight16, x_last, weight_last
    torch.backends.cudnn.benchmark = False


def saved_bytes(forward, parameters) -> int:
    own, kept = {p.untyped_storage().data_ptr() for p in parameters}, {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        y = forward()
    del y
    return sum(kept.values())


def profile(bench: Bench, case: str, call):
    """Where the time of a call goes: microseconds of the kernels that take most."""
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profiler:
            for _ in range(3):
                call()
            torch.cuda.synchronize()
        events = sorted(profiler.key_averages(), key=lambda e: -e.device_time_total)[:14]
        for event in events:
            bench.row(case, event.key[:150], "kernel", round(event.device_time_total / 3, 1), "us a call", calls=event.count / 3)
    except Exception as error:  # noqa: BLE001  (a profiler that does not work there is no failure of ours)
        bench.row("failed", f"profile of {case}", "error", 0.0, str(error)[:300])


def profiles(bench: Bench):
    """The kernels of one forward of linear, and of one decode."""
    if bench.device == "cpu":
        return
    x, weight, bias = bench.randn(4096, 4096), bench.randn(4096, 4096), bench.randn(4096)
    grid = (bench.full(0.05, 1), bench.full(3, 1, dtype=torch.int32), -128, 127)
    profile(bench, "linear.encoded 4096 x 4096 x 4096", lambda: OPS.linear.encoded(x, weight, bias, *grid, observe=True, **ENCODING))
    packed = packed_weight(bench, 4096, 4096, 128)
    codes = bench.codes(1, 4096)
    profile(bench, "linear_int4 1 x 4096 x 4096", lambda: OPS.linear_int4(codes, *grid[:2], *packed, 4096, 128))
    big = bench.randn(1 << 26)
    state = (bench.full(-1.0, 1), bench.full(1.0, 1), bench.full(3, 1, dtype=torch.int64), bench.full(0.05, 1), bench.full(3, 1, dtype=torch.int32))
    profile(bench, "observe_quantize 2^26", lambda: OPS.observe_quantize(big, *state, 0.01, -128, 127))
    profile(bench, "LSQ backward 2^26", lambda: OPS.fake_quantize_learned_backward(big, big, state[3], state[4], -128, 127))


PARTS = {"elementwise": elementwise, "linear": linear_products, "conv": conv_products, "step": training_step, "cnn": cnn_step, "four_bits": four_bits, "profiles": profiles}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--part", action="append", choices=PARTS)
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.backends.cuda.matmul.allow_tf32 = False
    bench = Bench(options)
    for part in options.part or PARTS:
        if not bench.has_time():
            bench.row("left out", part, "time", 0.0, "no time")
            continue
        try:
            PARTS[part](bench)
        except Exception as error:  # noqa: BLE001  (the next part may still run)
            bench.row("failed", part, "error", 0.0, f"{type(error).__name__}: {error}"[:500], traceback=traceback.format_exc()[-1500:])
        if options.device != "cpu":
            torch.cuda.empty_cache()
    return 0


if __name__ == "__main__":
    sys.exit(main())
