// samebits::min_max and grid_of_range on CUDA. Ranges are not looked at, since a look would wait for the
// device: one that is not finite gives the scale NaN, and whatever is quantized with it raises the NaN flag.
#include "csrc/observe/min_max.h"

#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/common/cuda/launch.h"
#include "kernels/observe/cuda/grid_of_range.h"
#include "kernels/observe/cuda/min_max.h"

namespace samebits::ops {
namespace {

using at::Tensor;

Range min_max_cuda(const Tensor& x_any, int64_t rows, int64_t group_size) {
  check_dtype("min_max", "x", x_any, at::kFloat);
  TORCH_CHECK(rows >= 1 && x_any.numel() % rows == 0, "[min_max] rows: expected a divisor of the ",
              x_any.numel(), " elements, got ", rows);
  TORCH_CHECK(group_size >= 0, "[min_max] group_size: expected 0 (none) or more, got ", group_size);
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensor x = x_any.contiguous();
  const auto segments = kernels::cuda::Segments::of(rows, x.numel() / rows, group_size);
  const std::vector<int64_t> shape =
      group_size == 0 ? std::vector<int64_t>{rows} : std::vector<int64_t>{rows, segments.groups_per_row};
  const Tensor min = at::empty(shape, x.options()), max = at::empty(shape, x.options()),
               saw_nan = lowered_flag(x);
  const int64_t partial_bytes = segments.chunks() * static_cast<int64_t>(sizeof(kernels::MinMax));
  const Tensor partials = at::empty({partial_bytes}, x.options().dtype(at::kByte));
  check_launch("min_max",
               kernels::cuda::launch_min_max(x.const_data_ptr<float>(), segments,
                                             static_cast<kernels::MinMax*>(partials.mutable_data_ptr()),
                                             min.mutable_data_ptr<float>(), max.mutable_data_ptr<float>(),
                                             saw_nan.mutable_data_ptr<int>(), current_stream()));
  return {min, max, saw_nan.to(at::kBool)};
}

std::tuple<Tensor, Tensor> grid_of_range_cuda(const Tensor& min_any, const Tensor& max_any, int64_t qmin,
                                              int64_t qmax, bool symmetric) {
  check_dtype("grid_of_range", "min", min_any, at::kFloat);
  check_dtype("grid_of_range", "max", max_any, at::kFloat);
  check_code_range("grid_of_range", "qmin, qmax", qmin, qmax);
  TORCH_CHECK(min_any.sizes() == max_any.sizes(), "[grid_of_range] max: expected the shape of min, ",
              min_any.sizes(), ", got ", max_any.sizes());
  TORCH_CHECK(!symmetric || (qmin < 0 && qmax > 0),
              "[grid_of_range] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got ", qmin,
              " and ", qmax);
  const c10::cuda::CUDAGuard guard(min_any.device());
  const Tensor min = min_any.contiguous(), max = max_any.contiguous();
  const Tensor scale = at::empty_like(min), zero_point = at::empty_like(min, min.options().dtype(at::kInt));
  const Tensor saw_infinity = lowered_flag(min);
  check_launch("grid_of_range",
               kernels::cuda::launch_grids_of_ranges({.min = min.const_data_ptr<float>(),
                                                      .max = max.const_data_ptr<float>(),
                                                      .count = min.numel(),
                                                      .qmin = static_cast<int32_t>(qmin),
                                                      .qmax = static_cast<int32_t>(qmax),
                                                      .symmetric = symmetric,
                                                      .scale = scale.mutable_data_ptr<float>(),
                                                      .zero_point = zero_point.mutable_data_ptr<int32_t>(),
                                                      .saw_infinity = saw_infinity.mutable_data_ptr<int>()},
                                                     current_stream()));
  return {scale, zero_point};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("min_max", min_max_cuda);
  library.impl("grid_of_range", grid_of_range_cuda);
}

}  // namespace samebits::ops
