"""The cuda preset: the kernels are in the library for every architecture, and registered. Nothing runs on a GPU."""

import subprocess

import pytest


@pytest.fixture()
def kernels(build_dir):
    library = build_dir / "csrc" / "cuda" / "libsamebits_kernels_cuda.a"
    if not library.exists():
        pytest.skip("not a CUDA build; make test PRESET=cuda builds one")
    return library


def test_every_architecture_has_machine_code(kernels):
    symbols = subprocess.run(["strings", "-a", kernels], capture_output=True, text=True, check=True).stdout
    for architecture in ("sm_80", "sm_90", "sm_100"):
        assert architecture in symbols


OPERATORS = (
    "amax",
    "apply_function",
    "conv2d",
    "conv2d_backward",
    "dequantize",
    "eval_batch_norm",
    "fake_quantize",
    "fake_quantize_backward",
    "fake_quantize_codebook",
    "fake_quantize_float",
    "fake_quantize_learned",
    "fake_quantize_learned_backward",
    "fake_quantize_mx",
    "float_conv2d",
    "float_linear",
    "grid_of_range",
    "least_error_range",
    "linear",
    "linear_backward",
    "linear_int4",
    "linear_weight_only",
    "log_softmax",
    "max_pool2d",
    "max_pool2d_backward",
    "mean",
    "min_max",
    "move_grid",
    "native_group_norm",
    "native_layer_norm",
    "observe",
    "observe_fake_quantize",
    "observe_histogram",
    "observe_quantize",
    "pack_int4",
    "percentile_range",
    "quantize",
    "quantize_stochastic",
    "relu",
    "rms_norm",
    "softmax",
    "sum",
    "unpack_int4",
)


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_operator_has_a_cuda_kernel(kernels, operator):
    import samebits  # noqa: F401
    import torch

    assert torch._C._dispatch_has_kernel_for_dispatch_key(f"samebits::{operator}", "CUDA")
