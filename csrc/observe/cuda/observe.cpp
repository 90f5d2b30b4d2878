// samebits::observe on CUDA: the observation is made on the device, and its fields become tensors there.
#include "csrc/observe/observe.h"

#include <torch/library.h>

#include <cstddef>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "kernels/observe/cuda/observe.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using kernels::Observation;

/// The field of `type` that lies `offset` bytes into the observation, without dimensions.
Tensor field(const Tensor& bytes, std::size_t offset, std::size_t size, at::ScalarType type) {
  return bytes.narrow(0, static_cast<int64_t>(offset), static_cast<int64_t>(size))
      .clone()
      .view(type)
      .reshape({});
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> observe_cuda(const Tensor& x_any) {
  static_assert(sizeof(bool) == 1 && offsetof(kernels::MinMax, saw_nan) == 2 * sizeof(float));
  const kernels::FloatType type = float_type("observe", "x", x_any);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous();
  const auto bytes = x.options().dtype(at::kByte);
  const auto size = static_cast<int64_t>(sizeof(Observation));
  const Tensor chunks = at::empty({kernels::sum_chunks(x.numel()) * size}, bytes);
  const Tensor all = at::empty({size}, bytes);
  check_launch("observe", kernels::cuda::launch_observe(x.const_data_ptr(), x.numel(), type,
                                                        static_cast<Observation*>(chunks.mutable_data_ptr()),
                                                        static_cast<Observation*>(all.mutable_data_ptr()),
                                                        current_stream()));
  constexpr std::size_t kRange = offsetof(Observation, range);
  return {field(all, kRange + offsetof(kernels::MinMax, min), sizeof(float), at::kFloat),
          field(all, kRange + offsetof(kernels::MinMax, max), sizeof(float), at::kFloat),
          field(all, offsetof(Observation, sum), sizeof(double), at::kDouble),
          field(all, offsetof(Observation, sum_of_squares), sizeof(double), at::kDouble),
          all.select(0, static_cast<int64_t>(kRange + offsetof(kernels::MinMax, saw_nan))).to(at::kBool)};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("observe", observe_cuda);
}

}  // namespace samebits::ops
