// samebits::quantize on CUDA: checks of shapes only, because a look at scales would wait for the device.
#include "csrc/quantize/quantize.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/quantize/cuda/quantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Quantized quantize_cuda(const Tensor& x_any, const Tensor& scale, const Tensor& zero_point, int64_t qmin,
                        int64_t qmax, int64_t axis, int64_t group_size) {
  const kernels::FloatType type = float_type("quantize", "x", x_any);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous();
  const DeviceGridTable grids({"quantize", "", scale, zero_point, qmin, qmax, axis, group_size}, x);
  const Tensor codes = at::empty_like(x, x.options().dtype(at::kChar)), clip_mask = empty_clip_mask(x);
  const Tensor saw_nan = lowered_flag(x);
  const kernels::QuantizeArgs args{x.const_data_ptr(), codes.mutable_data_ptr<int8_t>(),
                                   clip_mask.mutable_data_ptr<uint8_t>(), type};
  check_launch("quantize", kernels::cuda::launch_quantize(args, grids.table, x.numel(),
                                                          saw_nan.mutable_data_ptr<int>(), current_stream()));
  return {codes, clip_mask, saw_nan.to(at::kBool)};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("quantize", quantize_cuda);
}

}  // namespace samebits::ops
