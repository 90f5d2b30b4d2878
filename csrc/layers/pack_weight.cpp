// Rows are taken 16 at a time, the height of a packed block: range, grid, codes and packing of a block while
// it is in cache.
#include "csrc/layers/pack_weight.h"

#include <ATen/Parallel.h>
#include <torch/library.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "csrc/common/check.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/grids.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/observe/min_max.h"
#include "kernels/quantize/quantize.h"

namespace samebits::ops {

using at::Tensor;

TORCH_LIBRARY_FRAGMENT(samebits, library) {
  library.def(
      "pack_weight(Tensor weight, int qmin, int qmax, bool symmetric, bool per_tensor=False, int "
      "group_size=0,"
      " bool for_conv2d=False) -> (Tensor packed, Tensor scale, Tensor zero_point, Tensor saw_nan, Tensor "
      "saw_infinity)");
}

namespace {

using Packing = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor>;
using PackSignature = Packing(const Tensor&, int64_t, int64_t, bool, bool, int64_t, bool);

void delete_prepared(void* prepared) {
  delete static_cast<kernels::PreparedWeights*>(prepared);
}

kernels::WeightLayout layout_of(WeightOrder order) {
  return order == WeightOrder::kLinear ? kernels::WeightLayout::kPacked : kernels::WeightLayout::kRows;
}

/// The tensor that carries the weights in its storage.
Tensor carrier(kernels::PreparedWeights made) {
  auto* prepared = new kernels::PreparedWeights(std::move(made));
  int8_t* data = prepared->packed.empty() ? prepared->centered.data() : prepared->packed.data();
  const auto bytes =
      static_cast<int64_t>(prepared->packed.empty() ? prepared->centered.size() : prepared->packed.size());
  c10::Storage storage(c10::Storage::use_byte_size_t(), bytes,
                       c10::DataPtr(data, prepared, delete_prepared, c10::Device(c10::kCPU)));
  return at::empty({0}, at::kChar).set_(storage, 0, {bytes}, {1});
}

/// A weight and its grids: contiguous [n, k] in memory.
struct Rows {
  const float* weight;
  kernels::GridTable table;
  kernels::WeightCodes codes;  // without the codes themselves
};

Rows rows_of(const Tensor& weight, const kernels::GridTable& table, int64_t scale_count, int64_t group_size) {
  const int64_t n = weight.size(0), k = n == 0 ? 0 : weight.numel() / n;
  return {weight.const_data_ptr<float>(),
          table,
          {.codes = nullptr,
           .scale = table.scale,
           .zero_point = table.zero_point,
           .scale_count = scale_count,
           .n = n,
           .k = k,
           .group_size = group_size,
           .qmin = table.qmin,
           .qmax = table.qmax}};
}

/// Quantizes and packs rows [first, last), `buffer` holding their codes meanwhile. Returns whether they held
/// a NaN.
bool pack_block(const Rows& rows, kernels::PreparedWeights& prepared, int64_t first, int64_t last,
                int8_t* buffer) {
  const int64_t k = rows.codes.k;
  kernels::GridTable table = rows.table;
  if (table.rows > 1) {
    table.scale += first * table.groups_per_row();
    if (table.zero_point != nullptr) table.zero_point += first * table.groups_per_row();
  }
  const kernels::QuantizeArgs args{.x = rows.weight + first * k, .codes = buffer, .clip_mask = nullptr};
  const bool saw_nan = kernels::quantize(args, table, 0, (last - first) * k);
  kernels::WeightCodes codes = rows.codes;
  codes.codes = buffer;
  codes.first_row = first;
  kernels::prepare_weight_rows(codes, prepared, first, last);
  return saw_nan;
}

/// All rows; `before_block(first, last)` sees each block of rows first. Returns whether the weight held a
/// NaN.
template <class BeforeBlock>
bool pack_rows(const Rows& rows, kernels::PreparedWeights& prepared, const BeforeBlock& before_block) {
  const int64_t n = rows.codes.n, k = rows.codes.k,
                blocks = (n + kernels::kColumnBlock - 1) / kernels::kColumnBlock;
  const int64_t grain = 1 + at::internal::GRAIN_SIZE / std::max<int64_t>(kernels::kColumnBlock * k, 1);
  std::atomic<bool> saw_nan = false;
  at::parallel_for(0, blocks, grain, [&](int64_t begin, int64_t end) {
    std::vector<int8_t> buffer(static_cast<std::size_t>(kernels::kColumnBlock * k));
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kernels::kColumnBlock, last = std::min(first + kernels::kColumnBlock, n);
      before_block(first, last);
      if (pack_block(rows, prepared, first, last, buffer.data())) saw_nan = true;
    }
  });
  return saw_nan;
}

/// The ranges of rows [first, last) to their grids.
struct RangeToGrid {
  const float* weight;
  int64_t k, group_size;
  WeightScheme scheme;
  float* scale;
  int32_t* zero_point;
  std::atomic<bool>& saw_infinity;
  std::atomic<bool>& saw_nan;

  void operator()(int64_t first, int64_t last) const {
    const int64_t groups = k == 0 ? 0 : (k + group_size - 1) / group_size;
    for (int64_t i = first * groups; i < last * groups; ++i) {
      const int64_t begin = i / groups * k + i % groups * group_size;
      const kernels::MinMax range =
          kernels::min_max(weight, begin, std::min(begin + group_size, (i / groups + 1) * k));
      set(i, range);
    }
  }
  void set(int64_t i, const kernels::MinMax& range) const {
    kernels::MinMax usable = range;
    if (range.saw_nan) saw_nan = true;
    if (!(std::isfinite(range.min) && std::isfinite(range.max))) {  // infinite, or nothing but NaN
      if (!range.saw_nan) saw_infinity = true;
      usable.min = usable.max = 0.0f;
    }
    const kernels::AffineGrid grid =
        kernels::grid_of_range(usable.min, usable.max, static_cast<int32_t>(scheme.qmin),
                               static_cast<int32_t>(scheme.qmax), scheme.symmetric);
    scale[i] = grid.scale;
    zero_point[i] = grid.zero_point;
  }
};

void check_not_empty(const char* op, const Tensor& weight) {
  TORCH_CHECK(weight.numel() > 0, "[", op, "] weight: expected at least 1 element, got shape ",
              weight.sizes());
}

void check_arguments(const Tensor& weight, const WeightScheme& scheme, WeightOrder order) {
  check_dtype("pack_weight", "weight", weight, at::kFloat);
  check_code_range("pack_weight", "qmin, qmax", scheme.qmin, scheme.qmax);
  TORCH_CHECK(weight.dim() >= 1, "[pack_weight] weight: expected [out, ...], got a scalar");
  check_not_empty("pack_weight", weight);
  TORCH_CHECK(!scheme.symmetric || (scheme.qmin < 0 && scheme.qmax > 0),
              "[pack_weight] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got ", scheme.qmin,
              " and ", scheme.qmax);
  TORCH_CHECK(scheme.symmetric || scheme.qmax - scheme.qmin <= 127,
              "[pack_weight] symmetric: expected true for more than 7 bits, got false with the range ",
              scheme.qmin, "..", scheme.qmax);
  TORCH_CHECK(scheme.group_size >= 0 && scheme.group_size % 4 == 0 &&
                  (scheme.group_size == 0 || (order == WeightOrder::kLinear && !scheme.per_tensor)),
              "[pack_weight] group_size: expected 0, or a multiple of 4 for a linear weight, got ",
              scheme.group_size);
}

std::vector<int64_t> scale_sizes(const Tensor& weight, const WeightScheme& scheme) {
  if (scheme.per_tensor) return {1};
  if (scheme.group_size == 0) return {weight.size(0)};
  return {weight.size(0), (weight.numel() / std::max<int64_t>(weight.size(0), 1) + scheme.group_size - 1) /
                              scheme.group_size};
}

Packing pack_weight_cpu(const Tensor& weight_any, int64_t qmin, int64_t qmax, bool symmetric, bool per_tensor,
                        int64_t group_size, bool for_conv2d) {
  const WeightScheme scheme{qmin, qmax, symmetric, per_tensor, group_size};
  const WeightOrder order = for_conv2d ? WeightOrder::kConv2d : WeightOrder::kLinear;
  check_arguments(weight_any, scheme, order);
  const Tensor weight = weight_any.contiguous();
  const Tensor scale = at::empty(scale_sizes(weight, scheme), weight.options());
  const Tensor zero_point = at::empty(scale.sizes(), weight.options().dtype(at::kInt));
  const int64_t n = weight.size(0), k = n == 0 ? 0 : weight.numel() / n;
  std::atomic<bool> saw_nan = false, saw_infinity = false;
  const RangeToGrid to_grid{weight.const_data_ptr<float>(),
                            k,
                            group_size == 0 ? k : group_size,
                            scheme,
                            scale.mutable_data_ptr<float>(),
                            zero_point.mutable_data_ptr<int32_t>(),
                            saw_infinity,
                            saw_nan};
  const kernels::GridTable table{
      .scale = scale.const_data_ptr<float>(),
      .zero_point = zero_point.const_data_ptr<int32_t>(),
      .qmin = static_cast<int32_t>(qmin),
      .qmax = static_cast<int32_t>(qmax),
      .row_length = std::max<int64_t>(per_tensor ? weight.numel() : k, 1),
      .group_size = std::max<int64_t>(per_tensor ? weight.numel() : to_grid.group_size, 1),
      .rows = per_tensor ? 1 : std::max<int64_t>(n, 1)};
  const Rows rows = rows_of(weight, table, scale.numel(), group_size);
  kernels::PreparedWeights prepared = kernels::allocate_weights(rows.codes, layout_of(order));
  if (per_tensor) {
    const auto [min, max, nan] = min_max(weight);
    to_grid.set(0, {*min.const_data_ptr<float>(), *max.const_data_ptr<float>(), *nan.const_data_ptr<bool>()});
    pack_rows(rows, prepared, [](int64_t, int64_t) {});
  } else {
    pack_rows(rows, prepared, to_grid);
  }
  const auto flag = [&](bool value) { return at::full({}, value, weight.options().dtype(at::kBool)); };
  return {carrier(std::move(prepared)), scale, zero_point, flag(saw_nan), flag(saw_infinity)};
}

Packing pack_weight_meta(const Tensor& weight, int64_t qmin, int64_t qmax, bool symmetric, bool per_tensor,
                         int64_t group_size, bool for_conv2d) {
  const WeightScheme scheme{qmin, qmax, symmetric, per_tensor, group_size};
  check_arguments(weight, scheme, for_conv2d ? WeightOrder::kConv2d : WeightOrder::kLinear);
  const int64_t n = weight.size(0), k = n == 0 ? 0 : weight.numel() / n;
  const Tensor scale = at::empty(scale_sizes(weight, scheme), weight.options());
  const auto flag = at::empty({}, weight.options().dtype(at::kBool));
  return {at::empty({for_conv2d ? n * k : kernels::packed_size(n, k)}, weight.options().dtype(at::kChar)),
          scale, at::empty_like(scale, scale.options().dtype(at::kInt)), flag, at::empty_like(flag)};
}

}  // namespace

WeightPacking pack_weight(const Tensor& weight, const WeightScheme& scheme, WeightOrder order) {
  static const auto op = find_op<PackSignature>("samebits::pack_weight");
  const auto [packed, scale, zero_point, saw_nan, saw_infinity] =
      op.call(weight.detach(), scheme.qmin, scheme.qmax, scheme.symmetric, scheme.per_tensor,
              scheme.group_size, order == WeightOrder::kConv2d);
  WeightPacking result{{weight, {scale, std::nullopt, scheme.qmin, scheme.qmax, scheme.group_size}, packed}};
  if (!scheme.symmetric) result.weight.grid.zero_point = zero_point;
  result.saw_nan = *saw_nan.const_data_ptr<bool>();
  result.saw_infinity = *saw_infinity.const_data_ptr<bool>();
  return result;
}

Tensor packed_on_grid(const char* op, const Tensor& weight_any, const WeightGrid& grid, WeightOrder order) {
  check_not_empty(op, weight_any);
  const Tensor weight = weight_any.contiguous();
  const bool is_affine = grid.zero_point.has_value() && grid.zero_point->defined();
  const Grids grids = checked_grids({op, "weight_", grid.scale, is_affine ? *grid.zero_point : Tensor(),
                                     grid.qmin, grid.qmax, 0, grid.group_size},
                                    weight);
  const Rows rows = rows_of(weight, grids.table, grid.scale.numel(), grid.group_size);
  kernels::PreparedWeights prepared = kernels::allocate_weights(rows.codes, layout_of(order));
  const bool saw_nan = pack_rows(rows, prepared, [](int64_t, int64_t) {});
  TORCH_CHECK(!saw_nan, "[", op, "] weight: expected finite values, got NaN");
  return carrier(std::move(prepared));
}

const kernels::PreparedWeights& prepared_weights(const char* op, const Tensor& packed, const Tensor& weight,
                                                 const WeightGrid& grid, WeightOrder order) {
  const auto* prepared = packed.storage().data_ptr().cast_context<kernels::PreparedWeights>(delete_prepared);
  TORCH_CHECK(
      prepared != nullptr, "[", op,
      "] packed: expected what pack_weight returned, got another tensor; a copy of it is no packed weight");
  const int64_t n = weight.size(0), k = n == 0 ? 0 : weight.numel() / n;
  const bool is_in_order =
      order == WeightOrder::kLinear ? !prepared->packed.empty() : !prepared->centered.empty();
  const int64_t group_size = prepared->grouped ? prepared->group_size : 0;
  TORCH_CHECK(
      prepared->n == n && prepared->k == k && group_size == grid.group_size && (is_in_order || n * k == 0),
      "[", op, "] packed: expected a packing of this weight, got one of [", prepared->n, ", ", prepared->k,
      "] in groups of ", group_size);
  return *prepared;
}

TORCH_LIBRARY_IMPL(samebits, CPU, library) {
  library.impl("pack_weight", pack_weight_cpu);
}
TORCH_LIBRARY_IMPL(samebits, Meta, library) {
  library.impl("pack_weight", pack_weight_meta);
}

}  // namespace samebits::ops
