// samebits::dequantize on CUDA: checks of shapes only, because a look at scales would wait for the device.
#include "csrc/quantize/dequantize.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "csrc/quantize/cuda/device_grids.h"
#include "kernels/quantize/cuda/dequantize.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Tensor dequantize_cuda(const Tensor& codes_any, const Tensor& scale, const Tensor& zero_point, int64_t axis,
                       int64_t group_size, std::optional<at::ScalarType> dtype) {
  check_dtype("dequantize", "codes", codes_any, at::kChar);
  const c10::cuda::CUDAGuard guard(codes_any.device());
  const Tensor codes = codes_any.contiguous();
  const DeviceGridTable grids({"dequantize", "", scale, zero_point, -128, 127, axis, group_size}, codes);
  const Tensor y = at::empty_like(codes, codes.options().dtype(dtype.value_or(at::kFloat)));
  check_launch("dequantize", kernels::cuda::launch_dequantize(
                                 codes.const_data_ptr<int8_t>(), y.mutable_data_ptr(), grids.table,
                                 codes.numel(), float_type("dequantize", "dtype", y), current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("dequantize", dequantize_cuda);
}

}  // namespace samebits::ops
