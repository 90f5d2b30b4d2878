// From the scale and zero_point tensors of an operator call to a grid table of the device: shapes, dtypes and
// devices checked, values not, because a look at them would wait.
#pragma once

#include <ATen/ATen.h>

#include "csrc/quantize/grids.h"

namespace samebits::ops {

inline void check_device(const char* op, const char* prefix, const char* name, const at::Tensor& tensor,
                         const at::Tensor& x) {
  TORCH_CHECK(tensor.device() == x.device(), "[", op, "] ", prefix, name, ": expected a tensor on ",
              x.device(), ", where x is, got ", tensor.device());
}

/// The table, and the contiguous tensors that keep its arrays alive; an undefined zero point stays so.
struct DeviceGridTable {
  at::Tensor scale, zero_point;
  kernels::GridTable table;

  DeviceGridTable(const GridArguments& arguments, const at::Tensor& x)
      : scale(arguments.scale.contiguous()),
        zero_point(arguments.zero_point.defined() ? arguments.zero_point.contiguous() : at::Tensor()),
        table(grid_table_shape(arguments, x)) {
    check_device(arguments.op, arguments.prefix, "scale", scale, x);
    table.scale = scale.const_data_ptr<float>();
    if (!zero_point.defined()) return;
    check_device(arguments.op, arguments.prefix, "zero_point", zero_point, x);
    table.zero_point = zero_point.const_data_ptr<int32_t>();
  }
};

}  // namespace samebits::ops
