// From the scale and zero_point tensors of an operator call to the grid table of kernels/common/grid_table.h,
// checked.
#pragma once

#include <ATen/ATen.h>

#include "kernels/common/grid_table.h"

namespace samebits::ops {

/// How an operator's caller names the grids of a tensor x. The shape of `scale` tells the granularity:
/// 1 element: per tensor. group_size > 0: [rows, ceil(row length / group_size)], a row being one entry of x's
/// first dimension. Otherwise [x.size(axis)]: per channel.
struct GridArguments {
  const char* op;                // for messages
  const char* prefix;            // "", "x_" or "weight_": what the arguments' names start with
  const at::Tensor& scale;       // float32
  const at::Tensor& zero_point;  // int32, the same shape; undefined: all 0
  int64_t qmin, qmax;
  int64_t axis = 0, group_size = 0;
};

/// The checked table, and the tensors that keep its arrays alive. On the CPU.
struct Grids {
  at::Tensor scale, zero_point;
  kernels::GridTable table;
};

/// Throws c10::Error on a shape that fits no granularity, a scale that is not finite or < 2^-126, or a zero
/// point outside [qmin, qmax].
Grids checked_grids(const GridArguments& arguments, const at::Tensor& x);

/// The table without its arrays, shapes checked, values not: for devices where a look at values would wait.
kernels::GridTable grid_table_shape(const GridArguments& arguments, const at::Tensor& x);

/// The shape part of the checks, for Meta kernels.
void check_grid_shapes(const GridArguments& arguments, const at::Tensor& x);

/// ceil(n / 8) bytes for one bit an element of x.
at::Tensor empty_clip_mask(const at::Tensor& x);

}  // namespace samebits::ops
