// Rows are taken 16 at a time, the height of a packed block: range, grid, codes and packing of a block while
// it is in cache.
#include "csrc/layers/weight.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <mutex>
#include <vector>

#include "csrc/common/check.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/grids.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/quantize/dequantize.h"
#include "quant/pack.h"

namespace samebits::ops {

using at::Tensor;

namespace {

bool is_affine(const WeightGrid& grid) {
  return grid.zero_point.has_value() && grid.zero_point->defined();
}

/// The weight and its grids in plain arrays, which `tensors` keep alive. Contiguous grids are seen in place,
/// so that they can be filled.
struct ViewedWeight {
  Tensor weight, scale, zero_point;
  quant::Encoding encoding;
  quant::WeightView view;
};
ViewedWeight viewed(const Tensor& weight, const WeightGrid& grid) {
  ViewedWeight v{weight.contiguous(), grid.scale.contiguous(), Tensor(), encoding_of(grid, weight), {}};
  if (is_affine(grid)) v.zero_point = grid.zero_point->contiguous();
  const int64_t n = weight.size(0), k = n == 0 ? 0 : weight.numel() / n;
  v.view = {v.weight.const_data_ptr<float>(), n, k, v.scale.mutable_data_ptr<float>(),
            is_affine(grid) ? v.zero_point.mutable_data_ptr<int32_t>() : nullptr};
  return v;
}

/// Calls body(first, last) for ranges of rows that begin at multiples of 16, several threads at once.
template <class Body>
void for_each_rows(const quant::WeightView& view, const Body& body) {
  constexpr int64_t kRows = kernels::kColumnBlock;
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(kRows * view.row_length, 1);
  at::parallel_for(0, (view.rows + kRows - 1) / kRows, grain, [&](int64_t begin, int64_t end) {
    body(begin * kRows, std::min(end * kRows, view.rows));
  });
}

/// The one grid of a weight, with all threads.
quant::NotFinite find_tensor_grid(const ViewedWeight& v) {
  const auto [min, max, saw_nan] = min_max(v.weight);
  const float range[] = {*min.const_data_ptr<float>(), *max.const_data_ptr<float>()};
  quant::WeightView ends = v.view;  // a tensor of its own two ends has the same range
  ends.values = range;
  ends.rows = 1;
  ends.row_length = 2;
  quant::NotFinite seen = quant::find_grids(v.encoding, ends, 0, 1);
  if (*saw_nan.const_data_ptr<bool>()) seen = {.nan = true};
  return seen;
}

/// The mask, or nothing where it has no 1.
Tensor mask_or_none(const Tensor& mask) {
  const auto* bytes = mask.const_data_ptr<uint8_t>();
  const bool is_zero = std::all_of(bytes, bytes + mask.numel(), [](uint8_t byte) { return byte == 0; });
  return is_zero ? Tensor() : mask;
}

}  // namespace

quant::Encoding encoding_of(const WeightGrid& grid, const Tensor& weight) {
  using quant::Granularity;
  const auto span = static_cast<uint32_t>(grid.qmax - grid.qmin);
  quant::Encoding encoding{.bits = std::max<int>(static_cast<int>(std::bit_width(span)), 2),
                           .qmin = static_cast<int32_t>(grid.qmin),
                           .qmax = static_cast<int32_t>(grid.qmax),
                           .symmetric = !is_affine(grid),
                           .granularity = Granularity::kPerChannel,
                           .group_size = grid.group_size};
  if (grid.group_size > 0) {
    encoding.granularity = Granularity::kPerGroup;
  } else if (grid.scale.sym_numel() == 1 && weight.sym_size(0) != 1) {
    encoding.granularity = Granularity::kPerTensor;
  }
  return encoding;
}

WeightGrid empty_weight_grid(const Tensor& weight, const quant::Encoding& encoding) {
  const c10::SymInt n = weight.sym_size(0);
  std::vector<c10::SymInt> sizes = {n};
  if (encoding.granularity == quant::Granularity::kPerTensor) sizes = {1};
  if (encoding.granularity == quant::Granularity::kPerGroup)
    sizes = {n, (weight.sym_numel() / n + encoding.group_size - 1) / encoding.group_size};
  WeightGrid grid{at::empty_symint(sizes, weight.options().requires_grad(false)), std::nullopt, encoding.qmin,
                  encoding.qmax, encoding.group_size};
  if (!encoding.symmetric) grid.zero_point = at::empty_like(grid.scale, grid.scale.options().dtype(at::kInt));
  return grid;
}

void check_weight_grid(const char* op, const WeightGrid& grid, const Tensor& weight) {
  const Tensor zero_point = is_affine(grid) ? *grid.zero_point : Tensor();
  checked_grids({op, "weight_", grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size}, weight);
}

kernels::PackedWeight pack_weight(const WeightPacking& packing, kernels::WeightOrder order,
                                  quant::NotFinite& seen) {
  const ViewedWeight v = viewed(packing.weight, packing.grid);
  bool finds_grids = packing.finds_grids;
  if (finds_grids && v.encoding.granularity == quant::Granularity::kPerTensor) {
    seen = seen | find_tensor_grid(v);
    finds_grids = false;
  }
  quant::WeightPacker packer(v.encoding, v.view, order);
  std::mutex merging;
  for_each_rows(v.view, [&](int64_t first, int64_t last) {
    std::vector<int8_t> buffer;
    const quant::NotFinite part = packer.pack_rows(first, last, finds_grids, buffer);
    const std::lock_guard lock(merging);
    seen = seen | part;
  });
  return packer.take();
}

RebuiltWeight rebuild_weight(const Tensor& weight, const WeightGrid& grid) {
  const ViewedWeight v = viewed(weight, grid);
  const Tensor codes = workspace(Workspace::kWeight, weight.sizes(), at::kChar);
  const Tensor mask = workspace(Workspace::kMask, {(weight.numel() + 7) / 8}, at::kByte);
  auto* data = codes.mutable_data_ptr<int8_t>();
  auto* bits = mask.mutable_data_ptr<uint8_t>();
  for_each_rows(v.view, [&](int64_t first, int64_t last) {
    const int64_t begin = first * v.view.row_length;
    quant::encode_rows(v.encoding, v.view, first, last, data + begin, bits + begin / 8);
    quant::center_rows(v.encoding, v.view, first, last, data + begin);
  });
  return {codes, mask_or_none(mask)};
}

void weight_reals(const RebuiltWeight& rebuilt, const WeightGrid& grid, int64_t first, const Tensor& panel) {
  const int64_t n = rebuilt.centered.size(0), k = n == 0 ? 0 : rebuilt.centered.numel() / n;
  const int64_t width = panel.size(1), group = grid.group_size > 0 ? grid.group_size : k;
  const Tensor scale = grid.scale.contiguous();
  const float* scales = scale.const_data_ptr<float>();
  const int64_t scales_per_row = scale.numel() == 1 ? 0 : scale.numel() / n;
  const int8_t* codes = rebuilt.centered.const_data_ptr<int8_t>();
  float* to = panel.mutable_data_ptr<float>();
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(width, 1);
  at::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t at = first, last = 0; at < first + width; at = last) {
        last = std::min((at / group + 1) * group, first + width);
        const float row_scale = scales[row * scales_per_row + (scales_per_row == 0 ? 0 : at / group)];
        kernels::dequantize_run(codes + row * k + at, to + row * width + at - first, {.scale = row_scale}, 0,
                                last - at);
      }
  });
}

}  // namespace samebits::ops
