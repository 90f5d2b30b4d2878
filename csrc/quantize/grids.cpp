#include "csrc/quantize/grids.h"

#include <cmath>
#include <string>

#include "csrc/common/check.h"

namespace samebits::ops {
namespace {

c10::SymInt row_length(const at::Tensor& x) {
  return x.dim() == 0 || x.sym_size(0) == 0 ? x.sym_numel() : x.sym_numel() / x.sym_size(0);
}

int64_t wrapped_axis(const GridArguments& a, const at::Tensor& x) {
  TORCH_CHECK(-x.dim() <= a.axis && a.axis < x.dim(), "[", a.op, "] axis: expected a value in ", -x.dim(),
              "..", x.dim() - 1, ", got ", a.axis);
  return a.axis < 0 ? a.axis + x.dim() : a.axis;
}

void check_group_shape(const GridArguments& a, const at::Tensor& x) {
  const c10::SymInt length = row_length(x), rows = x.dim() == 0 ? 1 : x.sym_size(0);
  // Rounded up, without a sum that could overflow.
  const c10::SymInt groups = length == 0 ? length : (length - 1) / a.group_size + 1;
  TORCH_CHECK(x.dim() >= 1 && a.scale.sym_numel() == rows * groups, "[", a.op, "] ", a.prefix,
              "scale: expected ", rows, " x ", groups, " values for groups of ", a.group_size, ", got ",
              a.scale.sym_numel());
}

kernels::GridTable table_shape(const GridArguments& a, const at::Tensor& x) {
  const int64_t n = std::max<int64_t>(x.numel(), 1);
  kernels::GridTable table{nullptr, nullptr, static_cast<int32_t>(a.qmin), static_cast<int32_t>(a.qmax), n,
                           n,       1};
  if (a.group_size > 0) {
    table.row_length = std::max<int64_t>(row_length(x).expect_int(), 1);
    table.group_size = a.group_size;
    table.rows = std::max<int64_t>(x.size(0), 1);
  } else if (a.scale.numel() != 1) {
    const int64_t axis = wrapped_axis(a, x);
    int64_t inner = 1;
    for (int64_t d = axis + 1; d < x.dim(); ++d) inner *= x.size(d);
    table.row_length = table.group_size = std::max<int64_t>(inner, 1);
    table.rows = std::max<int64_t>(x.size(axis), 1);
  }
  return table;
}

void check_values(const GridArguments& a, const Grids& grids) {
  const float* scale = grids.scale.const_data_ptr<float>();
  const int32_t* zero_point =
      grids.zero_point.defined() ? grids.zero_point.const_data_ptr<int32_t>() : nullptr;
  for (int64_t i = 0; i < grids.scale.numel(); ++i) {
    TORCH_CHECK(std::isfinite(scale[i]) && scale[i] >= kernels::kMinScale, "[", a.op, "] ", a.prefix,
                "scale: expected a finite value >= 2^-126, got ", scale[i],
                "; observe at least one batch before quantizing");
    const int32_t z = zero_point == nullptr ? 0 : zero_point[i];
    TORCH_CHECK(a.qmin <= z && z <= a.qmax, "[", a.op, "] ", a.prefix, "zero_point: expected a value in ",
                a.qmin, "..", a.qmax, ", got ", z);
  }
}

}  // namespace

void check_grid_shapes(const GridArguments& a, const at::Tensor& x) {
  const std::string prefix = a.prefix;
  check_code_range(a.op, (prefix + "qmin, " + prefix + "qmax").c_str(), a.qmin, a.qmax);
  check_dtype(a.op, (prefix + "scale").c_str(), a.scale, at::kFloat);
  TORCH_CHECK(a.group_size >= 0, "[", a.op, "] group_size: expected 0 (none) or more, got ", a.group_size);
  if (a.group_size > 0) {
    check_group_shape(a, x);
  } else if (a.scale.sym_numel() != 1) {
    const c10::SymInt channels = x.dim() == 0 ? 1 : x.sym_size(wrapped_axis(a, x));
    TORCH_CHECK(a.scale.sym_numel() == channels, "[", a.op, "] ", a.prefix, "scale: expected 1 value or ",
                channels, " (one a channel of axis ", a.axis, "), got ", a.scale.sym_numel());
  }
  if (!a.zero_point.defined()) return;
  check_dtype(a.op, (prefix + "zero_point").c_str(), a.zero_point, at::kInt);
  TORCH_CHECK(a.zero_point.sym_numel() == a.scale.sym_numel(), "[", a.op, "] ", a.prefix,
              "zero_point: expected ", a.scale.sym_numel(), " values, as many as scale, got ",
              a.zero_point.sym_numel());
}

kernels::GridTable grid_table_shape(const GridArguments& a, const at::Tensor& x) {
  check_grid_shapes(a, x);
  return table_shape(a, x);
}

Grids checked_grids(const GridArguments& a, const at::Tensor& x) {
  Grids grids{a.scale.contiguous(), a.zero_point.defined() ? a.zero_point.contiguous() : at::Tensor(),
              grid_table_shape(a, x)};
  check_values(a, grids);
  grids.table.scale = grids.scale.const_data_ptr<float>();
  if (grids.zero_point.defined()) grids.table.zero_point = grids.zero_point.const_data_ptr<int32_t>();
  return grids;
}

at::Tensor empty_clip_mask(const at::Tensor& x) {
  return at::empty_symint({(x.sym_numel() + 7) / 8}, x.options().dtype(at::kByte));
}

}  // namespace samebits::ops
