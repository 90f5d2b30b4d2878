// kernels/quantize/lsq.h above its element-wise kernels: which elements a slot has, and how slots become
// gradients.
#include "kernels/quantize/lsq.h"

#include <algorithm>
#include <cmath>

namespace samebits::kernels {
namespace {

constexpr std::int64_t kRowElementsPerBlock = 256;

struct Run {
  std::int64_t begin, end;  // within a pass
  std::int64_t grid;
};

/// Slot `slot` of a block, in its first pass.
Run run_of_slot(const LsqLayout& layout, const GridTable& table, std::int64_t slot) {
  const std::int64_t row = slot / layout.chunks_per_row, in_row = slot % layout.chunks_per_row;
  std::int64_t group = in_row, chunk = 0;
  if (layout.chunks_per_group > 1) {
    group = std::min(in_row / layout.chunks_per_group, layout.groups_per_row - 1);
    chunk = in_row - group * layout.chunks_per_group;
  }
  const std::int64_t first = group * table.group_size + chunk * kSumChunk;
  const std::int64_t last = std::min({first + kSumChunk, (group + 1) * table.group_size, table.row_length});
  return {row * table.row_length + first, row * table.row_length + last, row * layout.groups_per_row + group};
}

bool every_run_is_one_element(const GridTable& table) {
  return std::min(table.row_length, table.group_size) == 1;
}

/// Slots [first, last) of one block, in passes [first_pass, last_pass).
bool backward_block(const LsqArgs& args, const GridTable& table, const LsqLayout& layout,
                    std::int64_t first_pass, std::int64_t last_pass, std::int64_t first, std::int64_t last,
                    LsqSums* sums) {
  const std::int64_t begin = first_pass * layout.pass_length;
  if (every_run_is_one_element(table)) {
    const LsqColumns columns{
        table.scale + first, table.zero_point == nullptr ? nullptr : table.zero_point + first,
        table.qmin,          table.qmax,
        last - first,        last_pass - first_pass,
        begin + first,       layout.pass_length};
    return lsq_backward_columns(args, columns, sums + first);
  }
  std::fill(sums + first, sums + last, LsqSums{});
  bool saw_nan = false;
  for (std::int64_t pass = first_pass; pass < last_pass; ++pass) {
    const std::int64_t offset = pass * layout.pass_length;
    for (std::int64_t slot = first; slot < last; ++slot) {
      const Run run = run_of_slot(layout, table, slot);
      saw_nan |=
          lsq_backward_run(args, table.grid(run.grid), offset + run.begin, offset + run.end, sums[slot]);
    }
  }
  return saw_nan;
}

}  // namespace

LsqLayout::LsqLayout(const GridTable& table, std::int64_t n) {
  if (n == 0) return;
  groups_per_row = table.groups_per_row();
  pass_length = table.rows * table.row_length;
  passes = n / pass_length;
  passes_per_block = (kRowElementsPerBlock + table.row_length - 1) / table.row_length;
  blocks = (passes + passes_per_block - 1) / passes_per_block;
  chunks_per_group = sum_chunks(std::min(table.group_size, table.row_length));
  chunks_per_row = (groups_per_row - 1) * chunks_per_group +
                   sum_chunks(table.row_length - (groups_per_row - 1) * table.group_size);
  slots_per_block = table.rows * chunks_per_row;
}

bool lsq_backward(const LsqArgs& args, const GridTable& table, std::int64_t n, LsqSums* sums,
                  std::int64_t begin, std::int64_t end) {
  const LsqLayout layout(table, n);
  bool saw_nan = false;
  for (std::int64_t slot = begin; slot < end;) {
    const std::int64_t block = slot / layout.slots_per_block, block_slot = block * layout.slots_per_block;
    const std::int64_t block_end = std::min(end, block_slot + layout.slots_per_block);
    const std::int64_t first_pass = block * layout.passes_per_block;
    const std::int64_t last_pass = std::min(first_pass + layout.passes_per_block, layout.passes);
    saw_nan |= backward_block(args, table, layout, first_pass, last_pass, slot - block_slot,
                              block_end - block_slot, sums + block_slot);
    slot = block_end;
  }
  return saw_nan;
}

double lsq_gradient_factor(std::int64_t elements, std::int32_t qmax) {
  return 1.0 / std::sqrt(static_cast<double>(elements) * static_cast<double>(qmax));
}

void lsq_fold(const LsqSums* sums, const GridTable& table, std::int64_t n, float* grad_scale,
              float* grad_zero_point) {
  const LsqLayout layout(table, n);
  const std::int64_t groups = n == 0 && table.row_length == 0 ? 1 : table.groups_per_row();
  for (std::int64_t grid = 0; grid < table.rows * groups; ++grid) {
    const std::int64_t row = grid / groups, group = grid % groups;
    const std::int64_t first_slot = row * layout.chunks_per_row + group * layout.chunks_per_group;
    const std::int64_t length = std::min(table.group_size, table.row_length - group * table.group_size);
    LsqSums total;
    for (std::int64_t block = 0; block < layout.blocks; ++block) {
      for (std::int64_t chunk = 0; chunk < sum_chunks(length); ++chunk) {
        const LsqSums& slot = sums[block * layout.slots_per_block + first_slot + chunk];
        total.slopes += slot.slopes;
        total.clipped += slot.clipped;
      }
    }
    const double factor = n == 0 ? 0.0 : lsq_gradient_factor(layout.passes * length, table.qmax);
    grad_scale[grid] = static_cast<float>(with_one_nan(total.slopes * factor));
    if (grad_zero_point != nullptr)
      grad_zero_point[grid] =
          static_cast<float>(with_one_nan(-double{table.scale[grid]} * total.clipped * factor));
  }
}

}  // namespace samebits::kernels
