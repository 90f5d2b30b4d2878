"""Where two tensors differ."""

from __future__ import annotations

import torch


def difference(got: torch.Tensor, expected: torch.Tensor, *, by_value: bool = False) -> tuple[int, int, str]:
    """Elements whose bits differ, those of them that are no NaN on both sides, and where the first of these is. by_value: zeros
    of either sign are the same."""
    got = got.detach().cpu().contiguous()
    expected = expected.detach().contiguous()
    if got.dtype != expected.dtype or got.shape != expected.shape:
        return 1, 1, f"{got.dtype} {tuple(got.shape)}, expected {expected.dtype} {tuple(expected.shape)}"
    if got.numel() == 0:
        return 0, 0, ""
    width = got.element_size()
    integers = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[width]
    differs = got.view(integers).reshape(-1) != expected.view(integers).reshape(-1)
    if by_value:
        differs &= (got != expected).reshape(-1)
    count = int(differs.sum())
    if count and got.is_floating_point():
        differs &= ~(got.isnan() & expected.isnan()).reshape(-1)
    real = int(differs.sum())
    if real == 0:
        return count, 0, ""
    i = int(differs.nonzero()[0])
    return count, real, f"element {i} of {got.numel()}: {got.reshape(-1)[i].item()!r}, expected {expected.reshape(-1)[i].item()!r}"
