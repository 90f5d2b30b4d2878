// Rows of codes, of which every stride-th is taken: how conv2d arranges an image before it packs patches of
// it.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// An implementation may write this many codes behind each row.
constexpr std::int64_t kStridedRowsSlack = 32;

struct StridedRowsArgs {
  const std::int8_t* from;      // rows `from_row` codes apart
  const std::int8_t* from_end;  // nothing is read from here on
  std::int64_t from_row, stride;
  std::int8_t* to;  // rows `to_row` codes apart, at least n
  std::int64_t to_row, n, rows;
};

/// to[row * to_row + i] = from[row * from_row + i * stride] for i < n. Rows are written in ascending order,
/// each with up to kStridedRowsSlack codes of no meaning behind it. Does not allocate or throw.
extern const Kernel<void(const StridedRowsArgs& args)> copy_strided_rows;

}  // namespace samebits::kernels
