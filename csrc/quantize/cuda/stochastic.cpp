// samebits::quantize_stochastic on CUDA: checks of shapes only, because a look at scales would wait for the
// device.
#include "csrc/quantize/stochastic.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/quantize/cuda/stochastic.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Quantized stochastic_cuda(const StochasticCall& call) {
  const kernels::FloatType type = float_type(call.kOp, "x", call.x);
  const c10::cuda::CUDAGuard guard(call.x.device());
  const Tensor x = call.x.contiguous();
  const DeviceGridTable grids(
      {call.kOp, "", call.scale, call.zero_point, call.qmin, call.qmax, call.axis, call.group_size}, x);
  const Tensor codes = at::empty_like(x, x.options().dtype(at::kChar)), clip_mask = empty_clip_mask(x);
  const Tensor saw_nan = lowered_flag(x);
  const kernels::StochasticArgs args{.x = x.const_data_ptr(),
                                     .codes = codes.mutable_data_ptr<int8_t>(),
                                     .clip_mask = clip_mask.mutable_data_ptr<uint8_t>(),
                                     .type = type,
                                     .seed = static_cast<uint64_t>(call.seed),
                                     .stream = static_cast<uint64_t>(call.stream)};
  check_launch(call.kOp,
               kernels::cuda::launch_quantize_stochastic(args, grids.table, x.numel(),
                                                         saw_nan.mutable_data_ptr<int>(), current_stream()));
  return {codes, clip_mask, saw_nan.to(at::kBool)};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("quantize_stochastic", unpacked<stochastic_cuda>);
}

}  // namespace samebits::ops
