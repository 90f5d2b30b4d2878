// The sums of a gradient's columns, which are the bias gradient of a layer.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// Rows of g that are summed as one block. Blocks are summed on their own and then added ascending, so that
/// the bits do not depend on who summed which block.
constexpr std::int64_t kSumRows = 64;
constexpr std::int64_t sum_blocks(std::int64_t rows) {
  return (rows + kSumRows - 1) / kSumRows;
}

struct SumColumnsArgs {
  const float* g;  // [m][n]
  std::int64_t m, n;
  float* block_sums;  // [sum_blocks(m)][n]: 0 + the rows of the block, ascending
};

/// Rows [begin, end); begin is a multiple of kSumRows, end is too or is m. Every implementation gives the
/// same bits. Does not allocate or throw.
extern const Kernel<void(const SumColumnsArgs& args, std::int64_t begin, std::int64_t end)> sum_columns;

/// sums[c] = 0 + block_sums[0][c] + block_sums[1][c] + …, ascending, for columns [begin, end).
void add_block_sums(const float* block_sums, std::int64_t blocks, std::int64_t n, float* sums,
                    std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
