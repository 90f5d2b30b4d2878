// torch operators over kernels/observe/min_max.h and grid_of_range of kernels/common/affine.h: schema,
// checks, CPU, Meta.
#include "csrc/observe/min_max.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "csrc/common/check.h"
#include "kernels/common/affine.h"
#include "kernels/observe/min_max.h"
#include "kernels/observe/observe.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def("min_max(Tensor x, int rows=1, int group_size=0) -> (Tensor min, Tensor max, Tensor saw_nan)");
  library.def(
      "grid_of_range(Tensor min, Tensor max, int qmin, int qmax, bool symmetric)"
      " -> (Tensor scale, Tensor zero_point)");
}

Range min_max(const Tensor& x, int64_t rows, int64_t group_size) {
  static const auto op = find_op<decltype(min_max)>("samebits::min_max");
  return op.call(x, rows, group_size);
}

std::tuple<Tensor, Tensor> grid_of_range(const Tensor& min, const Tensor& max, int64_t qmin, int64_t qmax,
                                         bool symmetric) {
  static const auto op = find_op<decltype(grid_of_range)>("samebits::grid_of_range");
  return op.call(min, max, qmin, qmax, symmetric);
}

namespace {

Range min_max_meta(const Tensor& x, int64_t rows, int64_t group_size) {
  float_type("min_max", "x", x);
  TORCH_CHECK(rows >= 1 && x.sym_numel() % rows == 0, "[min_max] rows: expected a divisor of the ",
              x.sym_numel(), " elements, got ", rows);
  TORCH_CHECK(group_size >= 0, "[min_max] group_size: expected 0 (none) or more, got ", group_size);
  std::vector<c10::SymInt> shape = {rows};
  const c10::SymInt row_length = x.sym_numel() / rows;
  // Rounded up, without a sum that could overflow.
  if (group_size > 0) shape.push_back(row_length == 0 ? row_length : (row_length - 1) / group_size + 1);
  const at::TensorOptions options = x.options().dtype(at::kFloat);
  return {at::empty_symint(shape, options), at::empty_symint(shape, options),
          at::empty({}, options.dtype(at::kBool))};
}

/// Of elements [begin, end) of any type that the kernels read.
kernels::MinMax range_of(const Tensor& x, kernels::FloatType type, int64_t begin, int64_t end) {
  if (type == kernels::FloatType::kFloat32)
    return kernels::min_max(static_cast<const float*>(x.const_data_ptr()), begin, end);
  kernels::MinMax range;
  for (int64_t first = begin; first < end; first += kernels::kSumChunk) {
    const int64_t last = std::min(end, first + kernels::kSumChunk);
    range = kernels::merge(range, kernels::observe_chunk(x.const_data_ptr(), first, last, type).range);
  }
  return range;
}

/// One tensor, one range: threads take pieces, and the order of merging does not matter.
kernels::MinMax whole_range(const Tensor& x, kernels::FloatType type) {
  constexpr int64_t kPiece = 1 << 16;
  const int64_t n = x.numel();
  const int64_t pieces = (n + kPiece - 1) / kPiece;
  std::vector<kernels::MinMax> ranges(pieces);
  at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      ranges[i] = range_of(x, type, i * kPiece, std::min(n, (i + 1) * kPiece));
  });
  kernels::MinMax range;
  for (const kernels::MinMax& each : ranges) range = kernels::merge(range, each);
  return range;
}

Range min_max_cpu(const Tensor& x_any, int64_t rows, int64_t group_size) {
  auto [min, max, saw_nan] = min_max_meta(x_any, rows, group_size);
  const Tensor x = x_any.contiguous();
  const kernels::FloatType type = float_type("min_max", "x", x);
  float* min_data = min.mutable_data_ptr<float>();
  float* max_data = max.mutable_data_ptr<float>();
  if (min.numel() == 1) {
    const kernels::MinMax range = whole_range(x, type);
    min_data[0] = range.min;
    max_data[0] = range.max;
    saw_nan.fill_(range.saw_nan);
    return {min, max, saw_nan};
  }
  const int64_t row_length = x.numel() / rows, groups = min.numel() / rows;
  const int64_t group = group_size == 0 ? row_length : group_size;
  std::atomic<bool> any_nan = false;
  at::parallel_for(0, min.numel(), 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(group, 1),
                   [&](int64_t first, int64_t last) {
                     for (int64_t i = first; i < last; ++i) {
                       const int64_t begin = i / groups * row_length + i % groups * group;
                       const int64_t end = std::min(begin + group, (i / groups + 1) * row_length);
                       const kernels::MinMax range = range_of(x, type, begin, end);
                       min_data[i] = range.min;
                       max_data[i] = range.max;
                       if (range.saw_nan) any_nan = true;
                     }
                   });
  saw_nan.fill_(any_nan.load());
  return {min, max, saw_nan};
}

std::tuple<Tensor, Tensor> grid_of_range_meta(const Tensor& min, const Tensor& max, int64_t qmin,
                                              int64_t qmax, bool symmetric) {
  check_dtype("grid_of_range", "min", min, at::kFloat);
  check_dtype("grid_of_range", "max", max, at::kFloat);
  check_code_range("grid_of_range", "qmin, qmax", qmin, qmax);
  TORCH_CHECK(min.sizes() == max.sizes(), "[grid_of_range] max: expected the shape of min, ", min.sizes(),
              ", got ", max.sizes());
  TORCH_CHECK(!symmetric || (qmin < 0 && qmax > 0),
              "[grid_of_range] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got ", qmin,
              " and ", qmax);
  return {at::empty_like(min), at::empty_like(min, min.options().dtype(at::kInt))};
}

std::tuple<Tensor, Tensor> grid_of_range_cpu(const Tensor& min_any, const Tensor& max_any, int64_t qmin,
                                             int64_t qmax, bool symmetric) {
  const Tensor min = min_any.contiguous(), max = max_any.contiguous();
  auto [scale, zero_point] = grid_of_range_meta(min, max, qmin, qmax, symmetric);
  for (int64_t i = 0; i < min.numel(); ++i) {
    const float low = min.const_data_ptr<float>()[i], high = max.const_data_ptr<float>()[i];
    TORCH_CHECK(std::isfinite(low) && std::isfinite(high),
                "[grid_of_range] min, max: expected finite values, got ", low, " and ", high,
                "; observe at least one batch, and look for infinities in it");
    const kernels::AffineGrid grid =
        kernels::grid_of_range(low, high, static_cast<int32_t>(qmin), static_cast<int32_t>(qmax), symmetric);
    scale.mutable_data_ptr<float>()[i] = grid.scale;
    zero_point.mutable_data_ptr<int32_t>()[i] = grid.zero_point;
  }
  return {scale, zero_point};
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("min_max", min_max_cpu);
  library.impl("grid_of_range", grid_of_range_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("min_max", min_max_meta);
  library.impl("grid_of_range", grid_of_range_meta);
}

}  // namespace samebits::ops
