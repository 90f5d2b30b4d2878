"""Straight-through gradients of linear and conv2d: those of a float surrogate that gradcheck has confirmed.

The surrogate is what the gradient pretends the layer to be: clamp to the grid's range, plus the rounding error as a
constant, then the float layer. In double it is smooth away from the range's edges, so finite differences can judge it.
"""

import pytest
import samebits  # noqa: F401  (loads the operators)
import torch
import torch.nn.functional as F

OPS = torch.ops.samebits
X_GRID = (torch.tensor([0.03]), torch.tensor([5], dtype=torch.int32), -128, 127)


def weight_grid(weight, channels):
    """A per-channel grid that clips a few weights."""
    low, high, _ = OPS.min_max(weight.detach(), channels)
    scale, _ = OPS.grid_of_range(0.8 * low, 0.8 * high, -127, 127, True)
    return scale, None, -127, 127


def fake(x, scale, zero_point, qmin, qmax):
    if zero_point is None:
        zero_point = torch.zeros_like(scale, dtype=torch.int32)
    shape = [-1] + [1] * (x.dim() - 1) if scale.numel() > 1 else [1]
    low = ((qmin - zero_point) * scale.double()).reshape(shape)
    high = ((qmax - zero_point) * scale.double()).reshape(shape)
    return OPS.fake_quantize(x.detach(), scale, zero_point, qmin, qmax)[0].double(), low, high


def surrogate_of(layer, x, weight, grid):
    """layer(x, weight, bias) in double with both inputs clamped and shifted by their rounding errors."""
    (x_hat, x_low, x_high), (w_hat, w_low, w_high) = fake(x, *X_GRID), fake(weight, *grid)
    x_error = x_hat - x.detach().double().clamp(x_low, x_high)
    w_error = w_hat - weight.detach().double().clamp(w_low, w_high)

    def surrogate(x, weight, bias):
        return layer(x.clamp(x_low, x_high) + x_error, weight.clamp(w_low, w_high) + w_error, bias)

    return surrogate


def convolution(x, weight, bias):
    return F.conv2d(x, weight, bias, stride=[2, 1], padding=[1, 0])


def linear_op(x, weight, bias, grid):
    return OPS.linear(x, weight, bias, *X_GRID, *grid)[0]


def conv2d_op(x, weight, bias, grid):
    return OPS.conv2d(x, weight, bias, [2, 1], [1, 0], [1, 1], 1, *X_GRID, *grid)[0]


@pytest.mark.parametrize(
    ("float_layer", "op", "x_shape", "weight_shape"),
    [(F.linear, linear_op, (5, 7), (4, 7)), (convolution, conv2d_op, (2, 3, 5, 4), (4, 3, 3, 2))],
)
def test_gradients_are_those_of_a_surrogate_that_gradcheck_confirms(float_layer, op, x_shape, weight_shape):
    torch.manual_seed(0)
    x = (2 * torch.randn(x_shape)).requires_grad_()  # the grid covers -4 .. 3.7: some are clipped
    weight, bias = torch.randn(weight_shape, requires_grad=True), torch.randn(weight_shape[0], requires_grad=True)
    grid = weight_grid(weight, weight_shape[0])
    surrogate = surrogate_of(float_layer, x, weight, grid)
    doubles = [t.detach().double().requires_grad_() for t in (x, weight, bias)]
    assert torch.autograd.gradcheck(surrogate, doubles, eps=1e-7, atol=1e-5)

    y, expected = op(x, weight, bias, grid), surrogate(*doubles)
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
    grad_y = torch.randn_like(y)
    ours = torch.autograd.grad(y, (x, weight, bias), grad_y)
    theirs = torch.autograd.grad(expected, doubles, grad_y.double())
    for got, want in zip(ours, theirs, strict=True):
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)
    assert (ours[0] == 0).any() and (ours[1] == 0).any(), "some inputs and some weights are clipped"
