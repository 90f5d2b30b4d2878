"""Operators with a batch whose size is not known when a model is traced: torch.export with a dynamic batch, and
torch.compile at the second batch size. The bits are those of the operators alone."""

import pytest
import samebits  # noqa: F401  (loads the operators)
import test_new_ops
import test_ops
import torch

OPS = torch.ops.samebits
# Their first argument has no batch, or they are called by backward alone, which the compiled models below run.
WITHOUT_BATCH = {
    "grid_of_range", "percentile_range", "least_error_range", "pack_int4", "unpack_int4", "pack_int4_weight", "move_grid",
    "powers_of_two", "additive_powers_of_two", "normal_float4", "min_max", "quantized_embedding",
}  # fmt: skip


def cases():
    """Name, first argument, the others: of the tests for opcheck."""
    every = [*test_ops.opcheck_cases(), *(case[:2] for case in test_new_ops.opcheck_cases())]
    return [(name, arguments[0], arguments[1:]) for name, arguments in every
            if name not in WITHOUT_BATCH and not name.endswith("_backward") and not name.startswith("observe_")]  # fmt: skip


class Model(torch.nn.Module):
    """One operator; its other tensors are parameters and buffers, whose sizes are known."""

    def __init__(self, name, others):
        super().__init__()
        self.op, self.others = getattr(OPS, name), []
        for i, other in enumerate(others):
            if isinstance(other, torch.Tensor):
                if other.requires_grad:
                    setattr(self, f"tensor{i}", torch.nn.Parameter(other.detach().clone()))
                else:
                    self.register_buffer(f"tensor{i}", other.clone())
                other = f"tensor{i}"
            self.others.append(other)

    def forward(self, x):
        others = (getattr(self, each) if isinstance(each, str) and each.startswith("tensor") else each
                  for each in self.others)  # fmt: skip
        result = self.op(x, *others)
        return result if isinstance(result, torch.Tensor) else result[0]


def batch_like(x, n):
    """n examples like those of x. A normalized shape, or groups along the whole of x, may name the batch: then the
    case has none that could be another."""
    generator = torch.Generator().manual_seed(n)
    if not x.is_floating_point():
        return torch.randint(-8, 8, (n, *x.shape[1:]), generator=generator).to(x.dtype)
    return torch.rand(n, *x.shape[1:], generator=generator).add(0.1).to(x.dtype)


def takes_any_batch(model, x):
    try:
        for n in (5, 7):
            model(batch_like(x, n))
    except RuntimeError:
        return False
    return True


def test_most_operators_take_any_batch():
    names = {name for name, x, others in cases() if x.dim() > 1 and takes_any_batch(Model(name, others), x)}
    assert len(names) >= 45
    assert {"linear", "conv2d", "max_pool2d", "float_linear", "matmul", "softmax", "layer_norm", "mean"} <= names


@pytest.mark.parametrize(("name", "x", "others"), cases())
def test_an_operator_is_exported_with_a_dynamic_batch(name, x, others):
    model = Model(name, others)
    if x.dim() < 2 or not takes_any_batch(model, x):
        pytest.skip("its arguments fix the size of the batch")
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(model, (batch_like(x, 5),), dynamic_shapes=({0: batch},)).module()
    for n in (2, 9):
        assert torch.equal(exported(batch_like(x, n)), model(batch_like(x, n))), n


@pytest.mark.parametrize(("name", "x", "others"), cases())
def test_an_operator_is_compiled_at_the_second_batch_size(name, x, others):
    """With its gradients, where it has some."""
    model = Model(name, others)
    if x.dim() < 2 or not takes_any_batch(model, x):
        pytest.skip("its arguments fix the size of the batch")
    if name == "upsample_bilinear2d":
        pytest.skip("torch's meta kernel of upsample_bilinear2d_backward fails on a symbolic batch (2.14.1)")
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for n in (4, 6, 9):
        results = []
        for run in (compiled, model):
            model.zero_grad()
            leaf = batch_like(x, n).requires_grad_(x.requires_grad)
            y = run(leaf)
            if y.requires_grad:
                y.float().square().sum().backward()
            results.append([y, leaf.grad, *(parameter.grad for parameter in model.parameters())])
        for got, expected in zip(*results):
            assert (got is None) == (expected is None), n
            assert got is None or torch.equal(got, expected), n
