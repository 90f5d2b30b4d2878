"""Layers that say how they are to be quantized. In a float model they are the layers of torch.nn; samebits.prepare()
gives each the scheme that it names, in the place of the model's own."""

from __future__ import annotations

import torch

__all__ = ["QATConv2d", "QATLinear"]


def _scheme(weight_bits: int | None, activation_bits: int | None, skip: bool, **more) -> dict:
    scheme: dict = {"weight": {}, "activation": {}}
    if weight_bits is not None:
        scheme["weight"]["bits"] = weight_bits
    if activation_bits is not None:
        scheme["activation"]["bits"] = activation_bits
    for key in ("group_size", "symmetric"):
        if more.get(key) is not None:
            scheme["weight"][key] = more[key]
    if skip:
        scheme["skip"] = True
    return {key: value for key, value in scheme.items() if value}


class QATLinear(torch.nn.Linear):
    """torch.nn.Linear, x [..., in_features] to [..., out_features], with a scheme of its own.

    weight_bits: 2..8. activation_bits: 2..8. group_size: 32, 64 or 128 inputs that share a scale; none: a scale for each
    channel. symmetric: whether weights have no zero points. skip: leave the layer in float. What is None is the model's.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        weight_bits: int | None = None,
        activation_bits: int | None = None,
        group_size: int | None = None,
        symmetric: bool | None = None,
        skip: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.scheme = _scheme(weight_bits, activation_bits, skip, group_size=group_size, symmetric=symmetric)


class QATConv2d(torch.nn.Conv2d):
    """torch.nn.Conv2d of any stride, padding, dilation and groups, with a scheme of its own: as QATLinear has it, but for
    groups of inputs, which convolutions have not."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *arguments,
        weight_bits: int | None = None,
        activation_bits: int | None = None,
        symmetric: bool | None = None,
        skip: bool = False,
        **options,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, *arguments, **options)
        self.scheme = _scheme(weight_bits, activation_bits, skip, symmetric=symmetric)
