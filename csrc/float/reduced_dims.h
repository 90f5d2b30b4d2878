// The dimensions that an operator reduces.
#pragma once

#include <ATen/ATen.h>

#include "csrc/float/rows.h"

namespace samebits::ops {

class ReducedDims {
 public:
  /// `dim` counts from the end where it is negative; empty: all dimensions. Throws c10::Error naming the
  /// operator when x has no such dimension, or one is named twice.
  ReducedDims(const char* op, const at::Tensor& x, at::IntArrayRef dim) : is_reduced_(x.dim(), dim.empty()) {
    for (const int64_t each : dim) {
      const int64_t wrapped = wrapped_dim(op, x, each);
      if (x.dim() == 0) continue;
      TORCH_CHECK(!is_reduced_[wrapped], "[", op, "] dim: expected each dimension once, got ", dim);
      is_reduced_[wrapped] = true;
    }
  }

  /// Throws c10::Error when there is nothing to take the largest of.
  void check_not_empty(const char* op, const at::Tensor& x) const {
    for (int64_t dim = 0; dim < x.dim(); ++dim)
      TORCH_CHECK(!is_reduced_[dim] || x.sym_size(dim) > 0, "[", op,
                  "] x: expected elements along dimension ", dim, ", got shape ", x.sym_sizes());
  }

  std::vector<c10::SymInt> sizes(const at::Tensor& x, bool keepdim) const {
    std::vector<c10::SymInt> sizes;
    for (int64_t dim = 0; dim < x.dim(); ++dim) {
      if (!is_reduced_[dim]) sizes.push_back(x.sym_size(dim));
      if (is_reduced_[dim] && keepdim) sizes.emplace_back(1);
    }
    return sizes;
  }

  std::vector<int64_t> list() const {
    std::vector<int64_t> dims;
    for (std::size_t dim = 0; dim < is_reduced_.size(); ++dim)
      if (is_reduced_[dim]) dims.push_back(static_cast<int64_t>(dim));
    return dims;
  }

  /// Rows along the dimensions; where others stand between them, of a permuted copy that has them last.
  RowsOf rows(const at::Tensor& x) const {
    const std::vector<int64_t> reduced = list();
    if (reduced.empty()) return rows_along(x, x.dim(), x.dim() - 1);
    if (reduced.back() - reduced.front() + 1 == static_cast<int64_t>(reduced.size()))
      return rows_along(x, reduced.front(), reduced.back());
    std::vector<int64_t> order;
    for (int64_t dim = 0; dim < x.dim(); ++dim)
      if (!is_reduced_[dim]) order.push_back(dim);
    const auto kept = static_cast<int64_t>(order.size());
    order.insert(order.end(), reduced.begin(), reduced.end());
    return rows_along(x.permute(order), kept, x.dim() - 1);
  }

 private:
  std::vector<bool> is_reduced_;
};

}  // namespace samebits::ops
