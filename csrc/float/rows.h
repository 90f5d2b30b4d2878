// Rows of a tensor along some dimensions, as kernels/float takes them: what operators on rows share.
#pragma once

#include <ATen/ATen.h>

#include <optional>

#include "kernels/float/row_sum.h"

namespace samebits::ops {

/// A contiguous x seen as [outer][n][inner].
struct RowsOf {
  at::Tensor x;
  kernels::RowShape shape;
  int64_t rows;
};

/// Rows along dimensions [first, last] of x.
RowsOf rows_along(const at::Tensor& x, int64_t first, int64_t last);

/// `dim` counted from the start. Throws c10::Error naming the operator when x has no such dimension.
int64_t wrapped_dim(const char* op, const at::Tensor& x, int64_t dim);

/// Throws c10::Error unless `dtype` is float32 or nothing.
void check_no_cast(const char* op, std::optional<at::ScalarType> dtype);

/// Rows of n elements each that a thread should have at least.
int64_t row_grain(int64_t n);

}  // namespace samebits::ops
