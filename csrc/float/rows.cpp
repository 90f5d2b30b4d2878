#include "csrc/float/rows.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace samebits::ops {

RowsOf rows_along(const at::Tensor& x, int64_t first, int64_t last) {
  kernels::RowShape shape{1, 1};
  int64_t outer = 1;
  for (int64_t dim = 0; dim < x.dim(); ++dim) {
    int64_t& product = dim < first ? outer : dim <= last ? shape.n : shape.inner;
    product *= x.size(dim);
  }
  return {x.contiguous(), shape, outer * shape.inner};
}

int64_t wrapped_dim(const char* op, const at::Tensor& x, int64_t dim) {
  const int64_t rank = std::max<int64_t>(x.dim(), 1);
  TORCH_CHECK(-rank <= dim && dim < rank, "[", op, "] dim: expected ", -rank, "..", rank - 1, ", got ", dim);
  return dim < 0 ? dim + rank : dim;
}

void check_no_cast(const char* op, std::optional<at::ScalarType> dtype) {
  TORCH_CHECK(!dtype.has_value() || *dtype == at::kFloat, "[", op, "] dtype: expected float32 or none, got ",
              c10::getDtypeNames(dtype.value_or(at::kFloat)).first, "; cast the result");
}

int64_t row_grain(int64_t n) {
  return std::max<int64_t>(1, at::internal::GRAIN_SIZE / std::max<int64_t>(n, 1));
}

}  // namespace samebits::ops
