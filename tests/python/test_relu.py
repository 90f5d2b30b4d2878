"""samebits::relu is torch.relu with a smaller memory: the same bits forward and backward, 1 bit an element kept."""

import numpy as np
import pytest
import samebits  # noqa: F401
import torch

SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45, float("inf"), -float("inf"), float("nan")]


def bits(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy().view(np.uint32)


@pytest.mark.parametrize("x", [torch.randn(3, 5, 7), torch.tensor(SPECIAL * 3), torch.randn(8, 9).t(), torch.empty(0, 4)])
def test_values_and_gradients_are_those_of_torch(x):
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, expected = torch.ops.samebits.relu(ours)[0], torch.relu(theirs)
    grad = torch.randn_like(y)
    y.backward(grad)
    expected.backward(grad)
    assert (bits(y) == bits(expected)).all()
    assert (bits(ours.grad) == bits(theirs.grad)).all()


def test_backward_keeps_one_bit_an_element():
    saved = []
    x = torch.randn(1000, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.nbytes) or t, lambda t: t):
        torch.ops.samebits.relu(x)
    assert sum(saved) == 125


def test_another_dtype_is_refused():
    with pytest.raises(RuntimeError, match=r"\[relu\] x: expected float32, got float64; call .to\(torch::kFloat\)"):
        torch.ops.samebits.relu(torch.randn(3, dtype=torch.double))
