// samebits::fake_quantize_float on CUDA: checks of shapes only, because a look at scales would wait for the
// device.
#include "csrc/formats/fake_quantize_small_float.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/formats/cuda/fake_quantize_small_float.h"

namespace samebits::ops {
namespace {

using at::Tensor;

constexpr char kOp[] = "fake_quantize_float";

FakeQuantized float_cuda(const Tensor& x_any, const Tensor& scale, std::string_view format_name,
                         bool saturate, int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type(kOp, "x", x_any);
  const kernels::SmallFloat format = checked_small_float(format_name, saturate);
  const auto overflow = saturate ? kernels::Overflow::kSaturate : kernels::Overflow::kToSpecial;
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous(), no_zero_point;
  const DeviceGridTable grids({kOp, "", scale, no_zero_point, -128, 127, axis, group_size}, x);
  const Tensor y = at::empty_like(x), clip_mask = empty_clip_mask(x), saw_nan = lowered_flag(x);
  const kernels::SmallFloatArgs args{x.const_data_ptr(), y.mutable_data_ptr(), nullptr,
                                     clip_mask.mutable_data_ptr<uint8_t>(), type};
  check_launch(kOp, kernels::cuda::launch_fake_quantize_small_float(
                        args, format, overflow, grids.table, x.numel(), saw_nan.mutable_data_ptr<int>(),
                        current_stream()));
  return {y, clip_mask, saw_nan.to(at::kBool)};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("fake_quantize_float", float_cuda);
}

}  // namespace samebits::ops
