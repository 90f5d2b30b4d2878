"""Every operator on a device against the CPU, bit by bit; torch.library.opcheck; what waits for the device; capture by CUDA
graphs. Writes a line of JSON a result, so that a run that is cut off has told what it saw.

    python3 tools/gpu_check/checks.py --device cuda --json FILE [--part NAME] [--seconds N]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
import samebits  # noqa: E402, F401  (loads the operators)

import cases  # noqa: E402
from difference import difference  # noqa: E402

OPS = torch.ops.samebits


DEVICE_IS_LOST = 5  # exit code: a kernel broke the process, --start goes on behind it


class Results:
    def __init__(self, path: str, seconds: float, start: int):
        self.file = open(path, "a", buffering=1)
        self.start = start  # of the cases whose bits are compared
        self.lost_at = -1
        self.end = time.monotonic() + seconds
        self.left_out = 0

    def has_time(self) -> bool:
        in_time = time.monotonic() < self.end
        self.left_out += not in_time
        return in_time

    def add(self, part: str, name: str, state: str, detail: str = "", **numbers):
        """state: same, differs, refused (by both), ok, waits, failed."""
        self.file.write(json.dumps({"part": part, "name": name, "state": state, "detail": detail[:1500], **numbers}) + "\n")


def to_device(arguments, device):
    """Copies, for operators that write their arguments; strides as they are."""
    return tuple(a.to(device, copy=True) if isinstance(a, torch.Tensor) else a for a in arguments)


def tensors_of(output) -> list[torch.Tensor]:
    return [output] if isinstance(output, torch.Tensor) else [t for t in output if isinstance(t, torch.Tensor)]


def first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"


def compare(results: Results, part: str, name: str, got, expected, tolerance: float = 0.0, by_value: bool = False):
    if tolerance:
        worst = max(relative_error(mine, its) for mine, its in zip(tensors_of(got), tensors_of(expected), strict=True))
        results.add("gradients", f"{part}, {name}", "ok" if worst < tolerance else "differs", f"relative error {worst:.3g}", relative_error=worst)
        return
    counts = [difference(mine, its, by_value=by_value) for mine, its in zip(tensors_of(got), tensors_of(expected), strict=True)]
    real = sum(count[1] for count in counts)
    detail = "; ".join(f"output {i}: {count[1]} differ, first {count[2]}" for i, count in enumerate(counts) if count[1])
    elements = sum(t.numel() for t in tensors_of(expected))
    results.add(part, name, "differs" if real else "same", detail, elements=elements, differing=real,
                nan_payloads=sum(count[0] - count[1] for count in counts))


def is_layer(case: cases.Case) -> bool:
    return case.operator.startswith(("linear", "conv2d", "float_", "max_pool2d"))


def check_bits(results: Results, device: str, only_small: bool, of=lambda case: True):
    torch.use_deterministic_algorithms(True, warn_only=True)  # at::empty then holds NaNs: what nothing writes shows
    everything = small_cases(2) if only_small else sorted(cases.all_cases(), key=lambda case: not case.is_small)
    chosen = [case for case in everything if of(case)]
    for i, case in enumerate(chosen):
        if i < results.start or not results.has_time():
            continue
        name = f"{case.operator}: {case.label}"
        operator = partial(case.overload(), **case.keywords)
        arguments = case.arguments()
        moved = to_device(arguments, device)
        refused = None
        try:
            expected = operator(*arguments)
        except RuntimeError as error:
            refused = first_line(error)
        try:
            got = operator(*moved)
            if device != "cpu":
                torch.cuda.synchronize()
        except RuntimeError as error:
            results.add("bits", name, "refused" if refused else "failed", first_line(error) + (f"; CPU: {refused}" if refused else ""))
            if "CUDA error" in str(error):
                results.lost_at = i
                return
            continue
        if refused:
            results.add("bits", name, "cpu refuses", refused)
            continue
        inputs = [a for a in arguments if isinstance(a, torch.Tensor)]  # some are written in place
        compare(results, "bits", name, [*tensors_of(got), *[a for a in moved if isinstance(a, torch.Tensor)]],
                [*tensors_of(expected), *inputs], case.tolerance)


def check_bits_and_restore(results: Results, device: str, only_small: bool, of=lambda case: True):
    try:
        check_bits(results, device, only_small, of)
    finally:
        torch.use_deterministic_algorithms(False)


def layer_gradients(arguments, device, grad, mode):
    leaves = [a.detach().to(device).requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments[:3]]
    y = OPS.linear.default(*leaves, *to_device(arguments[3:], device), False, False, mode)[0]
    y.backward(grad.to(device))
    return [leaf.grad for leaf in leaves if leaf is not None]


# Of the gradients' norms: float32 sums in another order; the gradient rounded to 8 bits, on the CPU and here.
TOLERANCES = {"f32": 1e-5, "bf16": 5e-3}
CONV_TOLERANCES = {"f32": 3e-5, "bf16": 1e-2}  # bf16: the result is rounded to 8 bits, too


def check_gradients(results: Results, device: str, only_small: bool):
    """Exact products first, where any order of sums gives the same values (of zeros the sign is left to ATen's product); then
    random ones, against the CPU's in float32."""
    for layer in cases.LAYERS:
        small = layer.m * layer.n * layer.k < 1 << 20
        if layer.m == 0 or (only_small and not small) or not results.has_time():
            continue
        generator = torch.Generator().manual_seed(layer.m * 31 + layer.n)
        arguments = list(layer.arguments(generator, specials=False))
        grad = torch.randn(layer.m, layer.n, generator=generator)
        whole = torch.randint(-3, 4, grad.shape, generator=generator).float()
        exact = [*arguments[:3], torch.tensor([0.0625]), *arguments[4:7], torch.full_like(arguments[7], 0.03125), *arguments[8:]]
        for mode in TOLERANCES:
            name = f"linear backward, {mode}, exact: {layer}"
            try:
                compare(results, "gradients", name, layer_gradients(exact, device, whole, mode),
                        layer_gradients(exact, "cpu", whole, mode), by_value=True)
                name = f"linear backward, {mode}, random: {layer}"
                got, expected = layer_gradients(arguments, device, grad, mode), layer_gradients(arguments, "cpu", grad, "f32")
            except RuntimeError as error:
                results.add("gradients", name, "failed", first_line(error))
                continue
            worst = max(relative_error(mine, its) for mine, its in zip(got, expected))
            results.add("gradients", name, "ok" if worst < TOLERANCES[mode] else "differs", f"relative error {worst:.3g}",
                        relative_error=worst)


def conv_gradients(arguments, device, grad, mode):
    leaves = [a.detach().to(device).requires_grad_() if isinstance(a, torch.Tensor) else a for a in arguments[:3]]
    y = OPS.conv2d.default(*leaves, *to_device(arguments[3:], device), False, False, mode)[0]
    y.backward(grad.to(device))
    return [leaf.grad for leaf in leaves if leaf is not None]


def check_conv_gradients(results: Results, device: str, only_small: bool):
    """The same of conv2d, by error alone: cuDNN may transform the operands before it multiplies."""
    for conv in cases.CONVS:
        if conv.images == 0 or (only_small and not conv.is_small()) or not results.has_time():
            continue
        generator = torch.Generator().manual_seed(conv.channels * 31 + conv.outputs)
        arguments = list(conv.arguments(generator, specials=False))
        grad = torch.randn((conv.images, conv.outputs, *conv.out_size()), generator=generator)
        name = f"conv2d backward: {conv}"
        try:
            expected = conv_gradients(arguments, "cpu", grad, "f32")
            for mode, tolerance in CONV_TOLERANCES.items():
                name = f"conv2d backward, {mode}, random: {conv}"
                worst = max(relative_error(mine, its) for mine, its in zip(conv_gradients(arguments, device, grad, mode), expected))
                results.add("gradients", name, "ok" if worst < tolerance else "differs", f"relative error {worst:.3g}",
                            relative_error=worst)
        except RuntimeError as error:
            results.add("gradients", name, "failed", first_line(error))


def relative_error(got, expected) -> float:
    got, expected = got.cpu().double(), expected.double()
    norm = float(expected.norm())
    return float((got - expected).norm()) / norm if norm else float(got.norm())


def small_cases(count: int) -> list[cases.Case]:
    """A few of each operator, spread over its cases, the least of them left out."""
    chosen: dict[str, list[cases.Case]] = {}
    for case in cases.all_cases():
        if case.is_small and not case.label.startswith(("0 ", "1 ")):
            chosen.setdefault(case.operator, []).append(case)
    return [case for group in chosen.values() for case in group[:: max(1, len(group) // count)][:count]]


def check_opcheck(results: Results, device: str, only_small: bool):
    tests = ("test_schema", "test_autograd_registration", "test_faketensor")
    for case in small_cases(1 if only_small else 4):
        if not results.has_time():
            continue
        name = f"opcheck {case.operator}: {case.label}"
        try:
            said = torch.library.opcheck(case.overload(), to_device(case.arguments(), device), case.keywords, test_utils=tests,
                                         raise_exception=False)
            wrong = {test: first_line(text) if isinstance(text, BaseException) else str(text)[:300]
                     for test, text in said.items() if text != "SUCCESS"}
            results.add("opcheck", name, "failed" if wrong else "ok", json.dumps(wrong) if wrong else "")
        except Exception as error:  # noqa: BLE001  (opcheck raises what it likes)
            results.add("opcheck", name, "failed", first_line(error))


def check_waits(results: Results, device: str, only_small: bool):
    """Whether a call that ran before makes torch wait for the device. Of torch's own calls all, of ours none: we make none."""
    for case in small_cases(1 if only_small else 4):
        if not results.has_time():
            continue
        name = f"waits {case.operator}: {case.label}"
        operator, arguments = partial(case.overload(), **case.keywords), to_device(case.arguments(), device)
        try:
            operator(*arguments)
            if device == "cpu":
                results.add("waits", name, "ok", "not looked at: no device")
                continue
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")
            try:
                operator(*arguments)
                results.add("waits", name, "ok")
            except RuntimeError as error:
                results.add("waits", name, "ok" if case.is_waiting else "waits", first_line(error))
            finally:
                torch.cuda.set_sync_debug_mode("default")
        except RuntimeError as error:
            results.add("waits", name, "failed", first_line(error))


def training_step(device, backward="f32"):
    """A two-layer network's step on fixed grids: forward, loss, backward, update, all on tensors that stay where they are."""
    generator = torch.Generator().manual_seed(5)
    layer = cases.Layer(32, 48, 64)
    x, weight, bias, *grid = to_device(layer.arguments(generator, specials=False), device)
    second = (torch.randn(10, 48, generator=generator) * 0.1).to(device)
    target = torch.randn(32, 10, generator=generator).to(device)
    leaves = [weight, bias, second]
    for leaf in leaves:
        leaf.requires_grad_()
        leaf.grad = torch.zeros_like(leaf)
    second_scale = torch.full((10,), 0.003).to(device)

    def step():
        for leaf in leaves:
            leaf.grad.zero_()
        hidden = OPS.linear(x, weight, bias, *grid, False, False, backward)[0]
        y = OPS.linear(hidden, second, None, grid[0], grid[1], -128, 127, second_scale, None, -127, 127, 0, True, False, backward)[0]
        loss = (y - target).square().mean()
        loss.backward()
        with torch.no_grad():
            for leaf in leaves:
                leaf.sub_(leaf.grad * 0.01)
        return loss

    return step, leaves


def conv_step(device, backward="f32"):
    """The same of a network of convolutions, pools and a linear layer, whose grids are found and moved in the step."""
    generator = torch.Generator().manual_seed(6)

    def randn(*shape):
        return torch.randn(shape, generator=generator).to(device)

    x, target = randn(16, 3, 16, 16), randn(16, 10)
    leaves = [randn(16, 3, 3, 3) * 0.3, randn(16), randn(16, 1, 3, 3) * 0.3, randn(16), randn(10, 16 * 4 * 4) * 0.1, randn(10)]
    for leaf in leaves:
        leaf.requires_grad_()
        leaf.grad = torch.zeros_like(leaf)
    grids = [[t.to(device) for t in (torch.tensor([-3.0]), torch.tensor([3.0]), torch.tensor([1]), torch.tensor([0.03]),
                                     torch.tensor([0], dtype=torch.int32))] for _ in range(3)]

    def layer(operator, y, i, *window):
        grid, encoding = grids[i], {"weight_qmin": -127, "weight_qmax": 127, "relu_input": i > 0, "observe": True, "backward": backward}
        outputs = operator(y, leaves[2 * i], leaves[2 * i + 1], *window, grid[3], grid[4], -128, 127, **encoding)
        OPS.move_grid(outputs[4], *grid, 0.1, -128, 127)
        return outputs[0]

    def step():
        for leaf in leaves:
            leaf.grad.zero_()
        y = layer(OPS.conv2d.encoded, x, 0, [1, 1], [1, 1], [1, 1], 1)
        y = layer(OPS.conv2d.encoded, OPS.max_pool2d(y, [2, 2], [2, 2], [0, 0])[0], 1, [1, 1], [1, 1], [1, 1], 16)
        y = layer(OPS.linear.encoded, OPS.max_pool2d(y, [2, 2], [2, 2], [0, 0])[0].flatten(1), 2)
        loss = (y - target).square().mean()
        loss.backward()
        with torch.no_grad():
            for leaf in leaves:
                leaf.sub_(leaf.grad * 0.01)
        return loss

    return step, [*leaves, *[t for grid in grids for t in grid]]


STEPS = {"training step": training_step, "cnn step": conv_step}


def capture(call):
    """call() once in a CUDA graph, after runs on a stream of its own. Returns the graph and what call returned."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = call()
    return graph, output


def check_capture(results: Results, device: str, only_small: bool):
    if device == "cpu":
        for name, make in STEPS.items():
            for mode in TOLERANCES:
                make(device, mode)[0]()
                results.add("capture", f"{name}, {mode}", "ok", "ran on the CPU, nothing captured")
        return
    for case in small_cases(1 if only_small else 4):
        if case.is_waiting or not results.has_time():
            continue
        name = f"capture {case.operator}: {case.label}"
        operator, arguments = partial(case.overload(), **case.keywords), case.arguments()
        moved = to_device(arguments, device)
        try:
            for _ in range(4):  # state that moves has moved as often
                expected = operator(*arguments)
            graph, output = capture(lambda: operator(*moved))
            for tensor in tensors_of(output):
                tensor.zero_()
            graph.replay()
            torch.cuda.synchronize()
            compare(results, "capture", name, output, expected, case.tolerance)
        except RuntimeError as error:
            results.add("capture", name, "failed", first_line(error))
    torch.backends.cudnn.deterministic = True  # the same step twice
    for name, mode in itertools.product(STEPS, TOLERANCES):
        try:
            captured_step(results, device, name, mode)
        except RuntimeError as error:
            results.add("capture", f"{name}, {mode}", "failed", first_line(error))


def captured_step(results: Results, device: str, name: str, mode: str):
    """Fourteen steps, three of them before the capture and eleven replays, give the weights that fourteen plain ones give."""
    step, leaves = STEPS[name](device, mode)
    for _ in range(14):
        step()
    expected = [leaf.detach().cpu() for leaf in leaves]
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
        results.add("waits", f"{name}, {mode}", "ok")
    except RuntimeError as error:
        results.add("waits", f"{name}, {mode}", "waits", first_line(error))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    step, leaves = STEPS[name](device, mode)
    graph, _ = capture(step)
    for _ in range(11):
        graph.replay()
    torch.cuda.synchronize()
    compare(results, "capture", f"{name}, {mode}, 14 of them", [leaf.detach() for leaf in leaves], expected)


PARTS = {"bits": check_bits_and_restore, "gradients": check_gradients, "conv gradients": check_conv_gradients, "waits": check_waits,
         "capture": check_capture, "opcheck": check_opcheck}
SHARES = {"layer bits": partial(check_bits_and_restore, of=is_layer), "other bits": partial(check_bits_and_restore, of=lambda case: not is_layer(case))}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--json", required=True)
    parser.add_argument("--part", action="append", choices=PARTS | SHARES)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.backends.cuda.matmul.allow_tf32 = False
    results = Results(options.json, options.seconds, options.start)
    for part in options.part or PARTS:
        try:
            (PARTS | SHARES)[part](results, options.device, options.small)
        except Exception as error:  # noqa: BLE001  (the next part may still run)
            results.add(part, part, "failed", first_line(error))
        if results.lost_at >= 0:
            print(results.lost_at)
            return DEVICE_IS_LOST
    if results.left_out:
        results.add("time", "cases that had no time", "left out", str(results.left_out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
