#include "runtime/moving.h"

#include "kernels/move/gather.h"
#include "kernels/move/indexed_copy.h"

namespace samebits::runtime {
namespace {

using Tables = std::array<std::int64_t*, graph::kMaxRank>;

/// Whether elements of the last dimension lie side by side in x, and all others begin at multiples of that.
bool is_whole_run(const kernels::IndexedCopy& copy, const Tables& tables) {
  const std::int64_t size = copy.sizes[copy.rank - 1];
  const std::int64_t* last = tables[static_cast<std::size_t>(copy.rank - 1)];
  for (std::int64_t i = 0; i < size; ++i)
    if (last[i] != i) return false;
  for (std::int64_t d = 0; d + 1 < copy.rank; ++d)
    for (std::int64_t i = 0; i < copy.sizes[d]; ++i)
      if (const std::int64_t offset = tables[static_cast<std::size_t>(d)][i];
          offset % size != 0 && offset >= 0)
        return false;
  return true;
}

/// Takes last dimensions that stay as they are into the run.
void grow_run(kernels::IndexedCopy& copy, const Tables& tables) {
  while (copy.rank > 0 && is_whole_run(copy, tables)) {
    const std::int64_t size = copy.sizes[--copy.rank];
    copy.run *= size;
    for (std::int64_t d = 0; d < copy.rank; ++d)
      for (std::int64_t i = 0; i < copy.sizes[d]; ++i)
        if (std::int64_t& offset = tables[static_cast<std::size_t>(d)][i]; offset >= 0) offset /= size;
  }
}

}  // namespace

Strides strides_of(const graph::Sizes& sizes) {
  Strides strides = {};
  std::int64_t stride = 1;
  for (std::size_t d = sizes.size(); d-- > 0; stride *= sizes[d]) strides[d] = stride;
  return strides;
}

std::int64_t* offset_tables(const Call& call, std::span<const std::int64_t> sizes) {
  std::int64_t length = 0;
  for (const std::int64_t size : sizes) length += size;
  return static_cast<std::int64_t*>(
      call.scratch.at_least(length * static_cast<std::int64_t>(sizeof(std::int64_t))));
}

void move_by_tables(const Call& call, const Moving& moving, std::int64_t* offsets) {
  View& y = call.y();
  if (y.count() == 0) return;
  Tables tables = {};
  for (std::size_t d = 0; d < moving.sizes.size(); offsets += moving.sizes[d++]) tables[d] = offsets;
  kernels::IndexedCopy copy{.x = moving.x,
                            .y = y.data,
                            .element_bytes = y.element_bytes(),
                            .rank = static_cast<std::int64_t>(moving.sizes.size()),
                            .sizes = moving.sizes.data(),
                            .offsets = tables.data(),
                            .fill = moving.fill};
  grow_run(copy, tables);
  const std::int64_t work = copy.run * (copy.rank == 0 ? 1 : copy.sizes[copy.rank - 1]);
  call.threads.parallel_for(copy.rows(), grain_of(work), [&](std::int64_t begin, std::int64_t end) {
    kernels::indexed_copy(copy, begin, end);
  });
}

void check_indices(const Call& call, const View& index, std::int64_t size) {
  const std::int64_t count = index.count();
  const std::int64_t found = kernels::first_outside(index.integers(), size, 0, count);
  if (found < count)
    io::fail("[runtime] ", call.node.name, ": expected an index in 0..", size - 1, ", got ",
             index.integers()[found], " at element ", found);
}

}  // namespace samebits::runtime
