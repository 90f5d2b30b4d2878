"""The operators beside the layers: their schemas, Meta kernels and gradients under torch.library.opcheck, agreement with
torch's own fake quantization and float8 types, and autocast."""

import pytest
import torch
from torch.library import opcheck

import samebits  # noqa: F401  (loads the operators)

OPS = torch.ops.samebits
ALL_CHECKS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static")
# They write their arguments, or make lists of numbers from numbers.
WITHOUT_TRACE = ("test_schema", "test_autograd_registration", "test_faketensor")


def leaf(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype).requires_grad_()


def grid(scale=0.1, zero_point=1):
    return torch.tensor([scale]), torch.tensor([zero_point], dtype=torch.int32)


def moving_grid():
    return torch.zeros(1), torch.zeros(1), torch.zeros(1, dtype=torch.int64), *grid()


def packed_weight(out_features=5, in_features=12, group_size=0):
    codes = torch.arange(out_features * in_features, dtype=torch.int32).reshape(out_features, in_features) % 16 - 8
    groups = -(-in_features // group_size) if group_size else 1
    shape = (out_features, groups) if group_size else (out_features,)
    arguments = (codes.to(torch.int8), torch.full(shape, 0.1), None, -8, group_size)
    return arguments, OPS.pack_int4_weight(*arguments)


def opcheck_cases():
    """Name, arguments, checks of every operator that this file covers."""
    scale, zero_point = grid()
    x, codes = torch.randn(4, 8), torch.ones(2, 12, dtype=torch.int8)
    learned = (leaf(4, 8), scale.clone().requires_grad_())
    counts, value_range = torch.ones(2048, dtype=torch.int64), torch.tensor([-1.0, 1.0])
    pack_arguments, packed = packed_weight()
    grouped_arguments, grouped = packed_weight(group_size=8)
    cases = [
        ("fake_quantize", (leaf(4, 8, dtype=torch.bfloat16), scale, zero_point, -8, 7)),
        ("fake_quantize_backward", (x.to(torch.float16), torch.zeros(4, dtype=torch.uint8))),
        ("quantize", (x.to(torch.float16), scale, zero_point, -8, 7)),
        ("dequantize", (codes, scale, zero_point, 0, 0, torch.bfloat16)),
        ("min_max", (x.to(torch.bfloat16), 4, 3)),
        ("fake_quantize_learned", (*learned, zero_point, -8, 7)),
        ("fake_quantize_learned", (*learned, torch.tensor([0.5], requires_grad=True), -8, 7)),
        ("fake_quantize_learned_backward", (x, x, scale, zero_point, -8, 7)),
        ("observe", (x,)),
        ("quantized_embedding", (leaf(5, 4), torch.tensor([[0, 3], [4, 3]]), 8)),
        ("quantize_stochastic", (x, scale, zero_point, -8, 7, 3)),
        ("percentile_range", (counts, value_range, 0.99)),
        ("least_error_range", (counts, value_range, -8, 7, True)),
        ("fake_quantize_codebook", (leaf(4, 8), scale, OPS.normal_float4())),
        ("fake_quantize_float", (leaf(4, 8), scale, "e5m2", False)),
        ("fake_quantize_mx", (leaf(4, 40), "e2m1")),
        ("pack_int4_weight", pack_arguments),
        ("pack_int4_weight", grouped_arguments),
        ("linear_int4", (codes, scale, zero_point, *packed, 5)),
        ("linear_weight_only", (torch.randn(2, 12), *grouped, 5, 8, torch.randn(5), True)),
        ("matmul", (leaf(2, 1, 3, 8), leaf(4, 8, 5))),
        ("upsample_bilinear2d", (leaf(2, 3, 4, 5), [7, 9], False, None)),
        ("upsample_bilinear2d", (leaf(2, 3, 4, 5), None, True, [2.0, 1.5])),
    ]
    plain = ("exp", "tanh", "sigmoid", "erf", "silu", "gelu", "elu", "leaky_relu", "hardsigmoid", "hardswish")
    cases += [(name, (leaf(4, 8),)) for name in plain]
    cases += [(name, (torch.rand(4, 8).add(0.1).requires_grad_(),)) for name in ("log", "sqrt", "rsqrt")]
    cases += [
        ("apply_function", (leaf(4, 8), "gelu_tanh", [1.0, 1.0, 1.0])),
        ("softmax", (leaf(4, 8, 3), 1)),
        ("log_softmax", (leaf(4, 8, 3), -1)),
        ("layer_norm", (leaf(4, 8), [8], leaf(8), leaf(8))),
        ("native_layer_norm", (leaf(4, 3, 8), [3, 8], None, None, 1e-5)),
        ("native_layer_norm", (leaf(4, 8), [8], leaf(8), None, 1e-5)),
        ("group_norm", (leaf(4, 6, 3), 2, leaf(6), leaf(6))),
        ("native_group_norm", (leaf(4, 6, 3), 3, None, leaf(6), 1e-5)),
        ("rms_norm", (leaf(4, 8), [8], leaf(8))),
        ("rms_norm", (leaf(4, 8), [4, 8])),
        ("batch_norm", (leaf(4, 6, 3), leaf(6), leaf(6), torch.randn(6), torch.rand(6), False, 0.1, 1e-5)),
        ("eval_batch_norm", (leaf(4, 6), None, leaf(6), torch.randn(6), torch.rand(6), 1e-5)),
        ("sum", (leaf(4, 8, 3), [0, 2], True)),
        ("mean", (leaf(4, 8, 3),)),
        ("amax", (leaf(4, 8, 3), [1])),
        ("argmax", (torch.randn(4, 8, 3), 1)),
        ("adaptive_avg_pool2d", (leaf(2, 3, 5, 6), [2, 4])),
    ]
    in_place = [
        ("observe_quantize", (x, *moving_grid(), 0.1, -8, 7)),
        ("observe_fake_quantize", (leaf(4, 8), *moving_grid(), 0.1, -8, 7)),
        ("observe_histogram", (x, counts.clone(), value_range.clone())),
        ("powers_of_two", (4,)),
        ("additive_powers_of_two", (3, False)),
        ("normal_float4", ()),
    ]
    return [(*case, ALL_CHECKS) for case in cases] + [(*case, WITHOUT_TRACE) for case in in_place]


@pytest.mark.parametrize(("name", "arguments", "checks"), opcheck_cases())
def test_operators_keep_the_rules_of_torch_library(name, arguments, checks):
    opcheck(getattr(OPS, name).default, arguments, test_utils=checks)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_gives_a_layer_the_bits_of_float_arguments(dtype):
    x, weight = torch.randn(6, 12).to(dtype), torch.randn(5, 12).to(dtype)
    rest = (None, *grid(0.05), -128, 127, torch.full((5,), 0.02), None, -127, 127)
    expected = OPS.linear(x.float(), weight.float(), *rest)[0]
    with torch.autocast("cpu", dtype=dtype):
        y = OPS.linear(x, weight, *rest)[0]
    assert y.dtype == torch.float32
    assert torch.equal(y, expected)


def test_learned_scales_have_the_gradients_of_torchs_learnable_fake_quantize():
    """torch returns grad_scale in full where ours has LSQ's factor, and multiplies by 1 / scale: powers of two."""
    torch.manual_seed(0)
    x, grad = torch.randn(64, 32), torch.randn(64, 32)
    ours = [x.clone().requires_grad_(), torch.tensor([0.125], requires_grad=True), torch.tensor([3.0], requires_grad=True)]
    theirs = [each.detach().clone().requires_grad_() for each in ours]
    OPS.fake_quantize_learned(*ours, -8, 7)[0].backward(grad)
    factor = 1 / (x.numel() * 7) ** 0.5
    y = torch._fake_quantize_learnable_per_tensor_affine(*theirs, -8, 7, factor)
    y.backward(grad)
    assert torch.equal(OPS.fake_quantize_learned(*ours, -8, 7)[0], y)
    assert torch.equal(ours[0].grad, theirs[0].grad)
    for mine, its in zip(ours[1:], theirs[1:]):
        torch.testing.assert_close(mine.grad, its.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "dtype"), [("e4m3", torch.float8_e4m3fn), ("e5m2", torch.float8_e5m2)])
def test_small_floats_are_torchs_float8(name, dtype):
    x = torch.randn(20000, generator=torch.Generator().manual_seed(0)) * 40
    y, mask, _ = OPS.fake_quantize_float(x, torch.ones(1), name)
    assert not mask.any()
    assert torch.equal(y, x.to(dtype).float())


def test_a_histogram_observer_clips_where_it_pays():
    x = torch.randn(50000, generator=torch.Generator().manual_seed(0))
    counts, value_range = torch.zeros(2048, dtype=torch.int64), torch.zeros(2)
    for batch in x.chunk(4):
        OPS.observe_histogram(batch, counts, value_range)
    assert counts.sum() == x.numel()
    low, high, error = OPS.least_error_range(counts, value_range, -8, 7, True)
    assert x.min() < low < 0 < high < x.max()
    scale, zero_point = OPS.grid_of_range(low.reshape(1), high.reshape(1), -8, 7, True)
    y, _, _ = OPS.fake_quantize(x, scale, zero_point, -8, 7)
    torch.testing.assert_close((y - x).square().mean().double(), error, rtol=0.05, atol=0)


def test_int4_layers_say_that_they_do_not_train():
    _, packed = packed_weight()
    with pytest.raises(RuntimeError) as raised:
        OPS.linear_weight_only(torch.randn(2, 12, requires_grad=True), *packed, 5)
    assert str(raised.value).splitlines()[0] == (
        "[linear_weight_only] x: expected no gradient to be wanted, got requires_grad; call under torch.no_grad(), "
        "or train with samebits::linear"
    )
