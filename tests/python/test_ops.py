"""torch.ops.samebits.* from Python: against numpy's float32 arithmetic, against torch's own fake quantization, under
torch.library.opcheck, and what they keep for backward."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch.library import opcheck

import samebits  # noqa: F401  (loads the operators)
import test_new_ops

OPS = torch.ops.samebits
POWERS_OF_TWO = [2.0**-7, 2.0**-3, 1.0]
OTHER_SCALES = [0.1, 0.037, 1 / 3]


def scale_of(*values):
    return torch.tensor(values, dtype=torch.float32)


def zero_point_of(*values):
    return torch.tensor(values, dtype=torch.int32)


def same_bits(got, expected):
    got, expected = got.detach(), expected.detach()
    return got.dtype == expected.dtype and got.shape == expected.shape and bool(
        torch.equal(got.view(torch.int32), expected.view(torch.int32))
    )


def numpy_fake_quantize(x, scale, zero_point, qmin, qmax):
    """The contract in numpy: float32 division, rint, zero point, clamp. Returns the reals and what was inside."""
    x, scale = np.asarray(x, np.float32), np.float32(scale)
    with np.errstate(over="ignore"):
        position = np.rint(x / scale) + np.float32(zero_point)
        reals = (np.clip(position, qmin, qmax) - np.float32(zero_point)) * scale
    return reals.astype(np.float32), (position >= qmin) & (position <= qmax)


def values_near_ties(scale, count=4000):
    """Halfway between codes and one float32 to either side: where a reciprocal goes wrong."""
    ties = (np.arange(count, dtype=np.float32) - count // 2 + np.float32(0.5)) * np.float32(scale)
    return np.concatenate([ties, np.nextafter(ties, np.float32(-1e9)), np.nextafter(ties, np.float32(1e9))])


@pytest.mark.parametrize("zero_point", [0, 3, -128])
@pytest.mark.parametrize("scale", POWERS_OF_TWO + OTHER_SCALES)
def test_fake_quantize_divides_where_torch_multiplies_by_the_reciprocal(scale, zero_point):
    x = torch.from_numpy(values_near_ties(scale, 500))
    y, _, saw_nan = OPS.fake_quantize(x, scale_of(scale), zero_point_of(zero_point), -128, 127)
    expected, _ = numpy_fake_quantize(x, scale, zero_point, -128, 127)
    assert same_bits(y, torch.from_numpy(expected))
    assert not saw_nan
    theirs = torch.fake_quantize_per_tensor_affine(x, scale_of(scale), zero_point_of(zero_point), -128, 127)
    if scale in POWERS_OF_TWO:
        assert same_bits(y, theirs)
    else:  # they differ, by one code, and only next to ties
        differing = y != theirs
        assert 0 < differing.sum() < len(x) / 2
        assert (y - theirs).abs().max() < 1.001 * scale


@pytest.mark.parametrize("scale", POWERS_OF_TWO)
def test_fake_quantize_has_the_gradient_of_torch(scale):
    ours = torch.from_numpy(values_near_ties(scale, 400)).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    grad = torch.randn(ours.shape, generator=torch.Generator().manual_seed(0))
    y, _, _ = OPS.fake_quantize(ours, scale_of(scale), zero_point_of(5), -64, 63)
    y.backward(grad)
    torch.fake_quantize_per_tensor_affine(theirs, scale_of(scale), zero_point_of(5), -64, 63).backward(grad)
    assert torch.equal(ours.grad, theirs.grad)
    assert 0 < (ours.grad == 0).sum() < len(ours)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_fake_quantize_per_channel_agrees_with_torch_on_powers_of_two(axis):
    generator = torch.Generator().manual_seed(axis)
    values = torch.randn(4, 5, 6, generator=generator) * 10
    channels = values.shape[axis]
    scale = scale_of(*[2.0 ** (i % 5 - 3) for i in range(channels)])
    zero_point = zero_point_of(*[i - 2 for i in range(channels)])
    grad = torch.randn(values.shape, generator=generator)
    ours, theirs = values.clone().requires_grad_(), values.clone().requires_grad_()
    y, _, _ = OPS.fake_quantize(ours, scale, zero_point, -8, 7, axis)
    expected = torch.fake_quantize_per_channel_affine(theirs, scale, zero_point, axis % 3, -8, 7)
    assert same_bits(y, expected)
    y.backward(grad)
    expected.backward(grad)
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.parametrize("group_size", [2, 4, 5])
def test_fake_quantize_in_groups_is_per_tensor_on_each_group(group_size):
    x = torch.randn(3, 10, generator=torch.Generator().manual_seed(1))
    groups = -(-10 // group_size)
    scale = torch.rand(3, groups, generator=torch.Generator().manual_seed(2)) + 0.01
    zero_point = torch.arange(3 * groups, dtype=torch.int32).reshape(3, groups) % 7
    y, _, _ = OPS.fake_quantize(x, scale, zero_point, -8, 7, 0, group_size)
    for row in range(3):
        for group in range(groups):
            columns = slice(group * group_size, (group + 1) * group_size)
            part = x[row, columns].contiguous()
            expected, _, _ = OPS.fake_quantize(
                part, scale[row, group : group + 1], zero_point[row, group : group + 1], -8, 7
            )
            assert same_bits(y[row, columns].contiguous(), expected)


FLOATS = st.floats(width=32, allow_nan=False)
SCALES = st.floats(min_value=2.0**-126, max_value=2.0**100, width=32)


@st.composite
def grids(draw):
    bits = draw(st.integers(2, 8))
    qmin, qmax = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return draw(SCALES), draw(st.integers(qmin, qmax)), qmin, qmax


def arrays(elements=FLOATS):
    return hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9), elements=elements)


@settings(max_examples=300, deadline=None)
@given(x=arrays(), grid=grids())
def test_fake_quantize_follows_the_contract_for_any_values_and_grid(x, grid):
    scale, zero_point, qmin, qmax = grid
    tensor = torch.from_numpy(x).requires_grad_()
    y, _, saw_nan = OPS.fake_quantize(tensor, scale_of(scale), zero_point_of(zero_point), qmin, qmax)
    expected, inside = numpy_fake_quantize(x, scale, zero_point, qmin, qmax)
    assert same_bits(y, torch.from_numpy(np.asarray(expected)))
    assert not saw_nan
    y.backward(torch.full_like(y, 3.0))
    assert torch.equal(tensor.grad, torch.where(torch.from_numpy(np.asarray(inside)), 3.0, 0.0))


@settings(max_examples=200, deadline=None)
@given(x=arrays(), grid=grids())
def test_codes_and_reals_go_to_and_fro_without_loss(x, grid):
    scale, zero_point, qmin, qmax = grid
    arguments = (scale_of(scale), zero_point_of(zero_point))
    codes, mask, _ = OPS.quantize(torch.from_numpy(x), *arguments, qmin, qmax)
    reals = OPS.dequantize(codes, *arguments)
    y, y_mask, _ = OPS.fake_quantize(torch.from_numpy(x), *arguments, qmin, qmax)
    assert same_bits(reals, y)
    assert torch.equal(mask, y_mask)
    again, no_mask, _ = OPS.quantize(reals, *arguments, qmin, qmax)
    assert torch.equal(again, codes)
    assert not no_mask.any()


@settings(max_examples=200, deadline=None)
@given(codes=hnp.arrays(np.int8, hnp.array_shapes(min_dims=1, min_side=0, max_side=9), elements=st.integers(-8, 7)))
def test_pack_int4_gives_every_tensor_back(codes):
    packed = OPS.pack_int4(torch.from_numpy(codes))
    assert packed.numel() == (codes.size + 1) // 2
    assert np.array_equal(OPS.unpack_int4(packed, codes.size).numpy(), codes.ravel())


@settings(max_examples=200, deadline=None)
@given(low=FLOATS.filter(np.isfinite), width=st.floats(0, 2.0**100, width=32), symmetric=st.booleans())
def test_a_grid_reaches_both_ends_of_its_range(low, width, symmetric):
    low = np.float32(np.clip(low, -(2.0**100), 2.0**100))
    high = np.float32(low + np.float32(width))
    scale, zero_point = OPS.grid_of_range(scale_of(low), scale_of(high), -127, 127, symmetric)
    ends = torch.tensor([low, high])
    y, _, _ = OPS.fake_quantize(ends, scale, zero_point, -127, 127)
    assert (y - ends).abs().max() <= 0.5001 * scale.item()


@st.composite
def linear_cases(draw):
    rows, features, outputs = draw(st.integers(0, 6)), draw(st.integers(1, 40)), draw(st.integers(1, 9))
    bits = draw(st.integers(2, 8))
    seed = draw(st.integers(0, 2**32 - 1))
    return rows, features, outputs, bits, draw(st.booleans()), np.random.default_rng(seed)


@settings(max_examples=150, deadline=None)
@given(case=linear_cases())
def test_linear_is_the_integer_sum_scaled_and_biased(case):
    rows, features, outputs, bits, has_bias, random = case
    qmin, qmax = (-127, 127) if bits == 8 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    x = random.normal(0, 3, (rows, features)).astype(np.float32)
    weight = random.normal(0, 1, (outputs, features)).astype(np.float32)
    bias = random.normal(0, 1, outputs).astype(np.float32) if has_bias else None
    x_scale, zero_point = np.float32(0.06), int(random.integers(-100, 100))
    weight_scale = random.uniform(0.01, 0.5, outputs).astype(np.float32)
    y, codes, _, _, _ = OPS.linear(
        torch.from_numpy(x), torch.from_numpy(weight), None if bias is None else torch.from_numpy(bias),
        scale_of(x_scale), zero_point_of(zero_point), -128, 127, torch.from_numpy(weight_scale), None, qmin, qmax,
    )
    x_codes = np.clip(np.rint(x / x_scale) + zero_point, -128, 127).astype(np.int64)
    weight_codes = np.clip(np.rint(weight / weight_scale[:, None]), qmin, qmax).astype(np.int64)
    expected = ((x_codes - zero_point) @ weight_codes.T).astype(np.float32) * (x_scale * weight_scale)
    if bias is not None:
        expected = expected + bias
    assert np.array_equal(codes.numpy(), x_codes)
    assert same_bits(y, torch.from_numpy(expected))


def fake_quantizer(observer, scale, zero_point, qmin, qmax, **options):
    """torch.ao's module with a grid of ours."""
    module = torch.ao.quantization.FakeQuantize(observer, quant_min=qmin, quant_max=qmax, dtype=torch.qint8, **options)
    module.disable_observer()
    module.scale.resize_(scale.shape).copy_(scale)
    module.zero_point.resize_(zero_point.shape).copy_(zero_point)
    return module


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_linear_trains_as_torch_ao_does_with_the_same_grids():
    torch.manual_seed(0)
    x_scale, zero_point = scale_of(2.0**-4), zero_point_of(-9)
    weight_scale = scale_of(*[2.0 ** -(5 + i % 3) for i in range(16)])
    x_quantizer = fake_quantizer(torch.ao.quantization.MinMaxObserver, x_scale, zero_point, -128, 127)
    weight_quantizer = fake_quantizer(
        torch.ao.quantization.PerChannelMinMaxObserver, weight_scale, torch.zeros(16, dtype=torch.int32), -127, 127,
        qscheme=torch.per_channel_symmetric, ch_axis=0,
    )
    x, weight, bias = torch.randn(32, 48) * 6, torch.randn(16, 48), torch.randn(16)
    ours = [t.clone().requires_grad_() for t in (x, weight, bias)]
    theirs = [t.clone().requires_grad_() for t in (x, weight, bias)]
    y = OPS.linear(*ours, x_scale, zero_point, -128, 127, weight_scale, None, -127, 127)[0]
    expected = torch.nn.functional.linear(x_quantizer(theirs[0]), weight_quantizer(theirs[1]), theirs[2])
    torch.testing.assert_close(y, expected, rtol=1e-5, atol=1e-4)
    grad = torch.randn(y.shape)
    y.backward(grad)
    expected.backward(grad)
    for mine, its in zip(ours, theirs):
        torch.testing.assert_close(mine.grad, its.grad, rtol=1e-5, atol=1e-4)
        assert torch.equal(mine.grad == 0, its.grad == 0)
    assert (ours[0].grad == 0).any() and (ours[1].grad == 0).any()  # both clip somewhere


def kept_bytes(call):
    """Bytes by dtype that `call` keeps for backward, leaves of the graph (the weights, which live anyway) left out."""
    kept = {}

    def pack(tensor):
        if not (tensor.is_leaf and tensor.requires_grad):
            kept[tensor.dtype] = kept.get(tensor.dtype, 0) + tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = call()
    assert result.requires_grad
    return kept


def test_layers_keep_codes_and_bits_for_backward_and_no_float_input():
    scale, zero_point = scale_of(0.05), zero_point_of(0)
    x = torch.randn(64, 256).exp().requires_grad_() * 1.0  # an activation: no leaf
    weight, bias = torch.randn(128, 256, requires_grad=True), torch.randn(128, requires_grad=True)
    weight_scale = torch.full((128,), 0.02)
    kept = kept_bytes(
        lambda: OPS.linear(x, weight, bias, scale, zero_point, -128, 127, weight_scale, None, -127, 127)[0]
    )
    assert kept == {torch.int8: x.numel(), torch.uint8: x.numel() // 8, torch.float32: 4 + 4 * 128, torch.int32: 4}
    float_kept = kept_bytes(lambda: torch.nn.functional.linear(x, weight, bias))[torch.float32] - weight.nbytes
    assert float_kept == x.nbytes
    assert sum(kept.values()) <= 0.3 * float_kept

    image = torch.randn(4, 8, 16, 16, requires_grad=True) * 1.0
    kernel = torch.randn(8, 8, 3, 3, requires_grad=True)
    kept = kept_bytes(
        lambda: OPS.conv2d(image, kernel, None, [1, 1], [1, 1], [1, 1], 1, scale, zero_point, -128, 127,
                           scale, None, -127, 127)[0]
    )
    assert kept == {torch.int8: image.numel(), torch.uint8: image.numel() // 8, torch.float32: 8, torch.int32: 4}

    pooled = kept_bytes(lambda: OPS.max_pool2d(image, [2, 2], [2, 2], [0, 0])[0])
    assert pooled == {torch.uint8: image.numel() // 4}

    for call in (lambda: OPS.fake_quantize(x, scale, zero_point, -128, 127)[0], lambda: OPS.relu(x)[0]):
        assert kept_bytes(call) == {torch.uint8: x.numel() // 8}


def test_an_encoded_layer_gives_the_bits_of_one_on_the_grids_that_it_found():
    x, weight = torch.randn(5, 40, requires_grad=True), torch.randn(9, 40, requires_grad=True)
    grid = (scale_of(0.05), zero_point_of(3), -128, 127)
    encoded = OPS.linear.encoded(x, weight, None, *grid, weight_qmin=-8, weight_qmax=7, weight_symmetric=False)
    weight_scale, weight_zero_point, not_finite = encoded[5:]
    given = OPS.linear(x, weight, None, *grid, weight_scale, weight_zero_point, -8, 7)
    assert same_bits(encoded[0], given[0]) and not_finite == 0
    gradients = [torch.autograd.grad(y.pow(2).sum(), (x, weight)) for y in (encoded[0], given[0])]
    assert all(same_bits(a, b) for a, b in zip(*gradients))


def test_a_batch_may_be_dynamic_when_a_model_is_exported():
    grid, weight_grid = (scale_of(0.05), zero_point_of(3), -128, 127), (scale_of(0.02), None, -127, 127)
    kernel, weight = torch.randn(4, 3, 3, 3), torch.randn(5, 4 * 4 * 4)

    class Net(torch.nn.Module):
        def forward(self, x):
            y = OPS.conv2d(x, kernel, None, [1, 1], [1, 1], [1, 1], 1, *grid, *weight_grid)[0]
            y = OPS.max_pool2d(OPS.relu(y)[0], [2, 2], [2, 2], [0, 0])[0]
            return OPS.linear(y.flatten(1), weight, None, *grid, *weight_grid)[0]

    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(Net(), (torch.randn(4, 3, 8, 8),), dynamic_shapes=({0: batch},)).module()
    for n in (2, 7):
        x = torch.randn(n, 3, 8, 8)
        assert same_bits(exported(x), Net()(x))


def second_derivative(function, x):
    (gradient,) = torch.autograd.grad(function(x).pow(3).sum(), x, create_graph=True)
    return torch.autograd.grad(gradient.sum(), x)[0]


def test_second_derivatives_of_masks_are_torchs():
    x = torch.tensor([-1.0, 0.5, 2.0], requires_grad=True)
    relu = second_derivative(lambda t: OPS.relu(t)[0], x)
    assert relu.tolist() == [0, 3, 12]
    scale, zero_point = scale_of(0.1), zero_point_of(0)
    ours = second_derivative(lambda t: OPS.fake_quantize(t, scale, zero_point, -128, 127)[0], x)
    theirs = second_derivative(lambda t: torch.fake_quantize_per_tensor_affine(t, 0.1, 0, -128, 127), x)
    assert torch.allclose(ours, theirs)


@pytest.mark.parametrize("name", ["linear", "conv2d", "max_pool2d", "fake_quantize_learned"])
def test_second_derivatives_of_layers_are_refused_by_name(name):
    grid, weight_grid = (scale_of(0.05), zero_point_of(3), -128, 127), (scale_of(0.02), None, -127, 127)
    weight, kernel = torch.randn(3, 8, requires_grad=True), torch.randn(3, 2, 2, 2, requires_grad=True)
    image, rows = torch.randn(2, 2, 4, 4, requires_grad=True), torch.randn(4, 8, requires_grad=True)
    scale = torch.tensor([0.1], requires_grad=True)
    function, x = {
        "linear": (lambda t: OPS.linear(t, weight, None, *grid, *weight_grid)[0], rows),
        "conv2d": (lambda t: OPS.conv2d(t, kernel, None, [1, 1], [0, 0], [1, 1], 1, *grid, *weight_grid)[0], image),
        "max_pool2d": (lambda t: OPS.max_pool2d(t, [2, 2], [2, 2], [0, 0])[0], image),
        "fake_quantize_learned": (lambda t: OPS.fake_quantize_learned(t, scale, zero_point_of(0), -8, 7)[0], rows),
    }[name]
    with pytest.raises(RuntimeError) as raised:
        second_derivative(function, x)
    assert str(raised.value).splitlines()[0] == (
        f"[{name}_backward] expected to be differentiated once, got a gradient of a gradient, which straight-through "
        "layers do not have; leave out create_graph, or keep the layer in float"
    )


@st.composite
def pool_cases(draw):
    kernel = [draw(st.integers(1, 4)), draw(st.integers(1, 4))]
    padding = [draw(st.integers(0, size // 2)) for size in kernel]
    stride = [draw(st.integers(1, 3)), draw(st.integers(1, 3))]
    shape = (draw(st.integers(0, 2)), draw(st.integers(1, 3)), *(size + draw(st.integers(0, 6)) for size in kernel))
    few_values = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0, np.inf, np.nan])
    return draw(hnp.arrays(np.float32, shape, elements=few_values)), kernel, stride, padding


@settings(max_examples=200, deadline=None)
@given(case=pool_cases())
def test_max_pool2d_chooses_and_differentiates_as_torch_does(case):
    values, kernel, stride, padding = case
    ours, theirs = (torch.from_numpy(values).clone().requires_grad_() for _ in range(2))
    y = OPS.max_pool2d(ours, kernel, stride, padding)[0]
    expected = torch.nn.functional.max_pool2d(theirs, kernel, stride, padding)
    assert same_bits(y, expected)
    grad = torch.arange(y.numel(), dtype=torch.float32).reshape(y.shape)
    y.backward(grad)
    expected.backward(grad)
    assert same_bits(ours.grad, theirs.grad)


def opcheck_cases():
    def leaf(*shape):
        return torch.randn(*shape, requires_grad=True)

    scale, zero_point = scale_of(0.05), zero_point_of(1)
    codes, mask = torch.ones(4, 8, dtype=torch.int8), torch.zeros(4, dtype=torch.uint8)
    weight_grid = (torch.full((3,), 0.02), None, -127, 127)
    window = ([2, 1], [1, 0], [1, 1], 1)
    groups = (torch.full((3, 2), 0.02), torch.ones(3, 2, dtype=torch.int32), -8, 7, 4)
    x_grid = (scale, zero_point, -128, 127)
    weight, kernel, pool = torch.randn(3, 8), torch.randn(3, 3, 3, 3), ([3, 2], [2, 1], [1, 0])
    image = (torch.ones(2, 3, 5, 6, dtype=torch.int8), torch.zeros(23, dtype=torch.uint8))
    places = OPS.max_pool2d(torch.randn(2, 3, 5, 6), *pool)[1]
    return [
        ("fake_quantize", (leaf(4, 8), scale, zero_point, -8, 7)),
        ("fake_quantize", (leaf(4, 8), scale.expand(8), zero_point.expand(8), -8, 7, 1)),
        ("fake_quantize_backward", (torch.randn(4, 8), mask)),
        ("quantize", (torch.randn(4, 8), scale, zero_point, -8, 7)),
        ("dequantize", (codes, scale, zero_point)),
        ("min_max", (torch.randn(4, 8), 4, 3)),
        ("grid_of_range", (-torch.ones(3), torch.ones(3), -8, 7, True)),
        ("relu", (leaf(4, 8),)),
        ("pack_int4", (codes,)),
        ("unpack_int4", (mask, 7)),
        ("linear", (leaf(4, 8), leaf(3, 8), leaf(3), *x_grid, *weight_grid)),
        ("linear", (leaf(2, 4, 8), leaf(3, 8), None, *x_grid, *groups)),
        ("linear", (leaf(4, 8), leaf(3, 8), leaf(3), *x_grid, *weight_grid, 0, True, True, "bf16")),
        ("linear", (leaf(4, 8), leaf(3, 8), None, *x_grid, *weight_grid, 0, False, False, "f32", leaf(3))),
        ("conv2d", (leaf(2, 3, 5, 6), leaf(3, 3, 3, 3), leaf(3), *window, *x_grid, *weight_grid)),
        ("conv2d", (leaf(2, 3, 5, 6), leaf(3, 3, 3, 3), None, *window, *x_grid, *weight_grid, True, True)),
        ("conv2d", (leaf(2, 3, 5, 6), leaf(3, 3, 3, 3), leaf(3), *window, *x_grid, *weight_grid, False, False, "f32", leaf(3))),
        ("max_pool2d", (leaf(2, 3, 5, 6), *pool)),
        ("float_linear", (leaf(2, 4, 8), leaf(3, 8), leaf(3))),
        ("float_linear", (leaf(8), leaf(3, 8))),
        ("float_conv2d", (leaf(2, 3, 5, 6), leaf(3, 3, 3, 3), leaf(3), *window)),
        ("float_conv2d", (leaf(2, 4, 5, 6), leaf(6, 2, 3, 2), None, [1, 2], [0, 1], [2, 1], 2)),
        ("move_grid", (torch.tensor([-1.0, 2.0]), torch.zeros(1), torch.zeros(1), torch.zeros((), dtype=torch.int64),
                       torch.ones(1), zero_point_of(0), 0.1, -128, 127)),
        ("linear_backward", (torch.randn(4, 3), codes, mask, *x_grid, weight, *weight_grid, 0, "bf16", None, [True] * 4)),
        ("linear_backward", (torch.randn(4, 3), codes, mask, *x_grid, weight, *weight_grid, 0, "f32", torch.randn(3), [True] * 4)),
        ("linear_backward", (torch.randn(4, 3), codes, mask, *x_grid, weight, *groups, "f32", None, [False, True, False, False])),
        ("conv2d_backward", (torch.randn(2, 3, 3, 4), *image, *x_grid, kernel, *weight_grid, *window, "f32", torch.randn(3), [True] * 4)),
        ("max_pool2d_backward", (torch.randn(2, 3, 3, 5), places, [5, 6], *pool)),
    ]


@pytest.mark.parametrize(("name", "arguments"), opcheck_cases())
def test_operators_keep_the_rules_of_torch_library(name, arguments):
    # Shapes known when traced: the Meta kernels read sizes, so symbolic ones are outside of what is offered.
    opcheck(
        getattr(OPS, name).default,
        arguments,
        test_utils=("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static"),
    )


def test_opcheck_covers_every_operator_of_the_library():
    defined = {schema.name.split("::")[1] for schema in torch._C._jit_get_all_schemas()
               if schema.name.startswith("samebits::")}
    covered = {name for name, _ in opcheck_cases()} | {name for name, _, _ in test_new_ops.opcheck_cases()}
    assert defined == covered


@pytest.mark.parametrize(
    ("text", "call"),
    [
        (
            "[fake_quantize] scale: expected a finite value >= 2^-126, got 0; "
            "observe at least one batch before quantizing",
            lambda: OPS.fake_quantize(torch.ones(3), scale_of(0.0), zero_point_of(0), -8, 7),
        ),
        (
            "[linear] in_features: expected <= 66311 for these codes' sums in int32, got 70000; "
            "use fewer bits, groups, or split the layer",
            lambda: OPS.linear(torch.ones(1, 70000), torch.ones(1, 70000), None, scale_of(1.0), zero_point_of(0),
                               -128, 127, scale_of(1.0), None, -127, 127),
        ),
    ],
)
def test_errors_reach_python_as_one_sentence(text, call):
    with pytest.raises(RuntimeError) as raised:
        call()
    assert str(raised.value).splitlines()[0] == text
