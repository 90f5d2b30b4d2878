// kernels/conv/strided_rows.h with Highway: whole vectors, also where a row ends within one. This file is
// compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/conv/cpu/strided_rows.cpp"
#include "kernels/conv/reference/strided_rows.h"

#include <algorithm>

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"

#if HWY_TARGET != HWY_SCALAR  // no list names that target
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using CodeTag = hn::CappedTag<std::uint8_t, 32>;
static_assert(hn::MaxLanes(CodeTag()) <= kStridedRowsSlack);

struct EveryCode {
  static constexpr std::int64_t kRead = static_cast<std::int64_t>(hn::MaxLanes(CodeTag())), kWritten = kRead;
  static HWY_INLINE void copy(const std::uint8_t* from, std::uint8_t* to) {
    hn::StoreU(hn::LoadU(CodeTag(), from), CodeTag(), to);
  }
};

struct EverySecondCode {
  static constexpr std::int64_t kRead = EveryCode::kRead, kWritten = kRead / 2;
  static HWY_INLINE void copy(const std::uint8_t* from, std::uint8_t* to) {
    const hn::Repartition<std::uint16_t, CodeTag> pairs;
    const hn::RebindToSigned<decltype(pairs)> i16;
    const hn::Half<CodeTag> half;
    const auto first = hn::And(hn::BitCast(pairs, hn::LoadU(CodeTag(), from)), hn::Set(pairs, 0xFF));
    hn::StoreU(hn::DemoteTo(half, hn::BitCast(i16, first)), half, to);
  }
};

/// How many of the rows can be read in whole vectors.
template <class Step>
HWY_INLINE std::int64_t readable_rows(const StridedRowsArgs& args) {
  const std::int64_t vectors = (args.n + Step::kWritten - 1) / Step::kWritten;
  const std::int64_t spare = args.from_end - args.from - vectors * Step::kRead;
  if (spare >= (args.rows - 1) * args.from_row) return args.rows;
  return spare < 0 ? 0 : spare / args.from_row + 1;
}

template <class Step>
HWY_INLINE void copy_rows(const StridedRowsArgs& args) {
  const std::int64_t vector_rows = readable_rows<Step>(args);
  for (std::int64_t row = 0; row < vector_rows; ++row) {
    const auto* from = reinterpret_cast<const std::uint8_t*>(args.from + row * args.from_row);
    auto* to = reinterpret_cast<std::uint8_t*>(args.to + row * args.to_row);
    for (std::int64_t i = 0; i < args.n; i += Step::kWritten, from += Step::kRead) Step::copy(from, to + i);
  }
  StridedRowsArgs rest = args;
  rest.from += vector_rows * args.from_row;
  rest.to += vector_rows * args.to_row;
  rest.rows -= vector_rows;
  reference::copy_strided_rows(rest);
}

void copy_strided_rows(const StridedRowsArgs& args) {
  if (args.stride == 1) return copy_rows<EveryCode>(args);
  if (args.stride == 2) return copy_rows<EverySecondCode>(args);
  reference::copy_strided_rows(args);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // HWY_TARGET != HWY_SCALAR

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(copy_strided_rows, "strided_rows");

}  // namespace samebits::kernels
#endif  // HWY_ONCE
