// samebits::fake_quantize_mx on CUDA.
#include "csrc/formats/mx.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/grids.h"
#include "kernels/formats/cuda/mx.h"

namespace samebits::ops {
namespace {

using at::Tensor;

constexpr char kOp[] = "fake_quantize_mx";

FakeQuantized mx_cuda(const Tensor& x_any, std::string_view format_name) {
  const kernels::FloatType type = float_type(kOp, "x", x_any);
  const kernels::MxFormat format = checked_mx_format(format_name);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous(), y = at::empty_like(x), clip_mask = empty_clip_mask(x);
  const Tensor saw_nan = lowered_flag(x);
  if (x.numel() == 0) return {y, clip_mask, saw_nan.to(at::kBool)};
  const kernels::MxRows rows{x.dim() == 0 ? 1 : x.size(-1)};
  const kernels::MxArgs args{x.const_data_ptr(),
                             y.mutable_data_ptr(),
                             nullptr,
                             nullptr,
                             clip_mask.mutable_data_ptr<uint8_t>(),
                             type};
  check_launch(kOp,
               kernels::cuda::launch_fake_quantize_mx(args, format, rows, x.numel() / rows.row_length,
                                                      saw_nan.mutable_data_ptr<int>(), current_stream()));
  return {y, clip_mask, saw_nan.to(at::kBool)};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("fake_quantize_mx", mx_cuda);
}

}  // namespace samebits::ops
