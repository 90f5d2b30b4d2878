// kernels/matmul/gemm_int8.h's epilogue with Highway, for a row of 16 sums that stand in memory. Included by
// files that foreach_target compiles, or by one that compiles Highway's static target alone.
#if defined(SAMEBITS_GEMM_EPILOGUE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_GEMM_EPILOGUE_INL_H
#undef SAMEBITS_GEMM_EPILOGUE_INL_H
#else
#define SAMEBITS_GEMM_EPILOGUE_INL_H
#endif

#include <cstring>

#include "hwy/highway.h"
#include "kernels/common/cpu/affine-inl.h"
#include "kernels/matmul/cpu/block_terms.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

using SumTag = hn::Rebind<std::int32_t, BlockTag>;
static_assert(kColumnBlock % kBlockLanes == 0);

/// float(sum - correction) * scale for the lanes from `lane` on.
HWY_INLINE BlockFloats scaled_sums(const std::int32_t* sums, const BlockTerms& terms, std::int64_t lane) {
  const SumTag i32;
  const auto exact = hn::Sub(hn::LoadU(i32, sums + lane), hn::Load(i32, terms.correction + lane));
  return hn::Mul(hn::ConvertTo(BlockTag(), exact), hn::Load(BlockTag(), terms.scale + lane));
}

/// Adds a group's part: totals += float(sum - correction) * scale.
HWY_INLINE void add_group(const std::int32_t* sums, const BlockTerms& terms, float* totals) {
  for (std::int64_t lane = 0; lane < kColumnBlock; lane += kBlockLanes) {
    const auto before = hn::LoadU(BlockTag(), totals + lane);
    hn::StoreU(hn::Add(before, scaled_sums(sums, terms, lane)), BlockTag(), totals + lane);
  }
}

/// y of the sums, before the relu.
HWY_INLINE void scale_sums(const std::int32_t* sums, const BlockTerms& terms, float* y) {
  for (std::int64_t lane = 0; lane < kColumnBlock; lane += kBlockLanes)
    hn::StoreU(hn::Add(scaled_sums(sums, terms, lane), hn::Load(BlockTag(), terms.bias + lane)), BlockTag(),
               y + lane);
}

/// y of a row's totals over the groups, in place.
HWY_INLINE void end_groups(float* totals, float x_scale, const BlockTerms& terms) {
  for (std::int64_t lane = 0; lane < kColumnBlock; lane += kBlockLanes) {
    const auto scaled = hn::Mul(hn::LoadU(BlockTag(), totals + lane), hn::Set(BlockTag(), x_scale));
    hn::StoreU(hn::Add(scaled, hn::Load(BlockTag(), terms.bias + lane)), BlockTag(), totals + lane);
  }
}

/// y = max(y, 0) in place.
HWY_INLINE void relu_row(float* y) {
  for (std::int64_t lane = 0; lane < kColumnBlock; lane += kBlockLanes) {
    const auto value = hn::LoadU(BlockTag(), y + lane);
    hn::StoreU(hn::IfThenZeroElse(hn::Lt(value, hn::Zero(BlockTag())), value), BlockTag(), y + lane);
  }
}

/// Codes of 16 floats; returns 16 bits, 1 where y is NaN. By division: a reciprocal for one row costs as
/// much.
HWY_INLINE unsigned quantize_row(const float* y, const AffineGrid& scalar_grid, std::int8_t* codes) {
  const auto grid = divided_grid(scalar_grid);
  unsigned nans = 0;
  for (std::int64_t lane = 0; lane < kColumnBlock; lane += kBlockLanes) {
    const Rounded rounded = round_to_grid(grid.quotient(hn::LoadU(BlockTag(), y + lane)), grid);
    nans |= mask_bits(BlockTag(), hn::Not(rounded.ordered)) << lane;
    store_codes(codes_of(rounded, grid), codes + lane);
  }
  return nans;
}

/// Writes `count` elements of what the y of 16 columns become. Returns whether one of them is NaN (kCodes
/// only).
HWY_INLINE bool store_row(const GemmInt8Args& args, float* y, std::int64_t row, std::int64_t column,
                          std::int64_t count) {
  const GemmEpilogue& epilogue = args.epilogue;
  if (epilogue.relu) relu_row(y);
  const std::int64_t to = row * args.output_stride + column;
  if (epilogue.output == GemmOutput::kFloat) {
    std::memcpy(static_cast<float*>(args.output) + to, y, count * sizeof(float));
    return false;
  }
  std::int8_t codes[kColumnBlock];
  const unsigned nans = quantize_row(y, epilogue.grid, codes);
  std::memcpy(static_cast<std::int8_t*>(args.output) + to, codes, count);
  return (nans & ((1u << count) - 1u)) != 0;
}

/// The same of sums that are not in groups.
HWY_INLINE bool store_sums(const GemmInt8Args& args, const std::int32_t* sums, const BlockTerms& terms,
                           std::int64_t row, std::int64_t column, std::int64_t count) {
  alignas(64) float y[kColumnBlock];
  scale_sums(sums, args.epilogue.channels_are_rows ? row_terms(args.epilogue.terms, row) : terms, y);
  return store_row(args, y, row, column, count);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR
#endif
