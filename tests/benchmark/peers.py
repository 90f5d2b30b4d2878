#!/usr/bin/env python3
"""QAT steps of other libraries against the FP32 step: tests/benchmark/peers.py [--json FILE]

torch.ao's eager mode, torchao and Brevitas on the models of tests/benchmark/step.cpp: SGD, 2 threads, interleaved in
one process, the least time of each; and the bytes that a forward keeps for backward. A peer whose package is not
installed, or that cannot convert a model, is left out with the reason on stderr. Needs
tests/benchmark/requirements-peers.txt. Exit: 0 done, 2 wrong use, 3 torch is missing.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib.metadata
import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

try:
    import torch
    from torch import nn
except ImportError:
    print("error: [peers] torch: not installed here; run make peers", file=sys.stderr)
    sys.exit(3)

THREADS = 2
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


class NotForThisModel(Exception):
    """Why a peer has no row for a model."""


@dataclass
class Workload:
    name: str
    layers: Callable[[], list[nn.Module]]
    x: Callable[[], torch.Tensor]
    rounds: int


def mlp() -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(784, 2048), nn.ReLU(), nn.Linear(2048, 2048), nn.ReLU(), nn.Linear(2048, 10)]


def cnn() -> list[nn.Module]:
    features = [nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    features += [nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return [*features, nn.Flatten(), nn.Linear(64 * 7 * 7, 256), nn.ReLU(), nn.Linear(256, 10)]


def ffn() -> list[nn.Module]:
    return [layer for _ in range(4) for layer in (nn.Linear(768, 3072), nn.ReLU(), nn.Linear(3072, 768))]


WORKLOADS = [
    Workload("MLP 784-2048-2048-10, batch 512", mlp, lambda: torch.randn(512, 1, 28, 28), 8),
    Workload("CNN 32-64-fc256, batch 256", cnn, lambda: torch.randn(256, 1, 28, 28), 8),
    Workload("4 x FFN 768-3072-768, 1024 tokens", ffn, lambda: torch.randn(1024, 768), 4),
]


def fp32(layers: list[nn.Module]) -> nn.Module:
    return nn.Sequential(*layers)


def torch_ao_eager(layers: list[nn.Module]) -> nn.Module:
    """prepare_qat with the x86 defaults, relu fused into the layer before it."""
    from torch.ao import quantization

    model = nn.Sequential(quantization.QuantStub(), *layers).train()
    pairs = [
        [str(i), str(i + 1)]
        for i in range(len(model) - 1)
        if isinstance(model[i], nn.Linear | nn.Conv2d) and isinstance(model[i + 1], nn.ReLU)
    ]
    model = quantization.fuse_modules_qat(model, pairs)
    model.qconfig = quantization.get_default_qat_qconfig("x86")
    return quantization.prepare_qat(model)


def torchao_w8a8(layers: list[nn.Module]) -> nn.Module:
    from torchao.quantization import quantize_
    from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

    if any(isinstance(layer, nn.Conv2d) for layer in layers):
        raise NotForThisModel("it converts Linear only")
    model = nn.Sequential(*layers)
    activation = IntxFakeQuantizeConfig(torch.int8, "per_token", is_symmetric=False)
    weight = IntxFakeQuantizeConfig(torch.int8, "per_channel")
    config = QATConfig(activation_config=activation, weight_config=weight, step="prepare")
    quantize_(model, config, filter_fn=lambda layer, _: type(layer) is nn.Linear)
    return model


def torchao_w4g32a8(layers: list[nn.Module]) -> nn.Module:
    """A layer whose input is no multiple of 32 gets W8A8."""
    from torchao.quantization import quantize_
    from torchao.quantization.qat import IntxFakeQuantizeConfig, QATConfig

    model = nn.Sequential(*layers)
    activation = IntxFakeQuantizeConfig(torch.int8, "per_token", is_symmetric=False)
    weight = IntxFakeQuantizeConfig(torch.int4, group_size=32)
    config = QATConfig(activation_config=activation, weight_config=weight, step="prepare")
    quantize_(model, config, filter_fn=lambda layer, _: isinstance(layer, nn.Linear) and layer.in_features % 32 == 0)
    return torchao_w8a8(list(model))


def brevitas_w8a8(layers: list[nn.Module]) -> nn.Module:
    from brevitas import nn as qnn
    from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerChannelFloat

    schemes = {"weight_quant": Int8WeightPerChannelFloat, "input_quant": Int8ActPerTensorFloat}

    def converted(layer: nn.Module) -> nn.Module:
        if isinstance(layer, nn.Linear):
            return qnn.QuantLinear(layer.in_features, layer.out_features, bias=True, **schemes)
        if isinstance(layer, nn.Conv2d):
            sizes = (layer.in_channels, layer.out_channels, layer.kernel_size)
            return qnn.QuantConv2d(*sizes, padding=layer.padding, bias=True, **schemes)
        return layer

    return nn.Sequential(*map(converted, layers))


VARIANTS: dict[str, Callable[[list[nn.Module]], nn.Module]] = {
    "fp32": fp32,
    "torch.ao eager": torch_ao_eager,
    "torchao W8A8": torchao_w8a8,
    "torchao W4g32A8": torchao_w4g32a8,
    "Brevitas W8A8": brevitas_w8a8,
}


class Trainee:
    """A model with its optimizer and a fixed batch."""

    def __init__(self, model: nn.Module, x: torch.Tensor):
        self.model, self.x = model.train(), x
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
        self.grad_y = torch.randn_like(self.forward().detach()) / x.shape[0]

    def forward(self) -> torch.Tensor:
        y = self.model(self.x)
        return getattr(y, "value", y)  # Brevitas may return a tensor with its scale

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.forward().backward(self.grad_y)
        self.optimizer.step()

    def saved_bytes(self) -> int:
        """Bytes that a forward keeps for backward: each memory once, without batch, parameters, buffers and output."""
        saved = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)  # the tensor keeps the address from being reused
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            y = self.forward()
        for tensor in (self.x, y, *self.model.parameters(), *self.model.buffers()):
            saved.pop(tensor.untyped_storage().data_ptr(), None)
        return sum(size for size, _ in saved.values())


def trainees_of(workload: Workload) -> dict[str, Trainee]:
    """The variants that can train this model here; says which cannot, and why."""
    x, trainees = workload.x(), {}
    for variant, convert in VARIANTS.items():
        try:
            torch.manual_seed(0)
            trainees[variant] = Trainee(convert(workload.layers()), x)
        except (ImportError, NotForThisModel) as reason:
            print(f"skipped: {workload.name}: {variant}: {reason}", file=sys.stderr)
    return trainees


def least_seconds(trainees: dict[str, Trainee], rounds: int) -> dict[str, float]:
    """Each round runs every variant once; the first is not timed."""
    least = dict.fromkeys(trainees, float("inf"))
    for each_round in range(rounds + 1):
        for variant, trainee in trainees.items():
            begin = time.perf_counter()
            trainee.step()
            if each_round > 0:
                least[variant] = min(least[variant], time.perf_counter() - begin)
    return least


def machine_text() -> str:
    """Processor, threads and the versions of what is compared."""
    names = [line.split(":")[1].strip() for line in read_cpuinfo() if line.startswith("model name")]
    versions = []
    for package in ("torch", "torchao", "brevitas"):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join([names[0] if names else "unknown processor", f"{THREADS} threads", *versions])


def read_cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def rows_of(workload: Workload, machine: str) -> list[dict]:
    trainees = trainees_of(workload)
    seconds = least_seconds(trainees, workload.rounds)
    saved = {variant: trainee.saved_bytes() for variant, trainee in trainees.items()}
    metrics = [("step", "ms", 1e3, seconds), ("saved for backward", "MB", 1e-6, saved)]
    return [
        {
            "case": workload.name,
            "variant": variant,
            "metric": metric,
            "value": values[variant] * factor,
            "unit": unit,
            "reference": "fp32",
            "ratio": values[variant] / values["fp32"],
            "machine": machine,
        }
        for metric, unit, factor, values in metrics
        for variant in trainees
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tests/benchmark/peers.py")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # torch.ao says in each call that it is deprecated
    torch.set_num_threads(THREADS)
    try:  # as in step.cpp: nobody pays for page faults on memory that was freed a step ago
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, -1)
    except (OSError, AttributeError):
        print("note: no mallopt here: page faults are part of the times", file=sys.stderr)
    machine, rows = machine_text(), []
    print(machine)
    for workload in WORKLOADS:
        for row in rows_of(workload, machine):
            print(
                f"{row['case']:<36}{row['variant']:<18}{row['metric']:<20}{row['value']:10.2f} {row['unit']}"
                f"{row['ratio']:8.2f}x",
                flush=True,
            )
            rows.append(row)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
