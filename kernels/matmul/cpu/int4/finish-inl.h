// The last step of kernels/matmul/gemm_int4.h for a block of 16 columns: bias, relu, and the store that stops
// at column n. Included by the .cpp files that foreach_target compiles.
#if defined(SAMEBITS_INT4_FINISH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_INT4_FINISH_INL_H
#undef SAMEBITS_INT4_FINISH_INL_H
#else
#define SAMEBITS_INT4_FINISH_INL_H
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "kernels/matmul/cpu/int4/quads-inl.h"
#include "kernels/matmul/gemm_int4.h"

HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

/// Ends one vector of sums, those of `row` from `column` on. Columns from n on are neither read nor written.
HWY_INLINE void finish_sums(const Int4Output& output, std::int64_t n, std::int64_t row, std::int64_t column,
                            Floats sums) {
  const std::int64_t count = std::min(lanes(), n - column);
  if (count <= 0) return;
  float* y = output.y + row * output.stride + column;
  HWY_ALIGN float buffer[Int4Shape::kColumns];
  if (output.bias != nullptr) {
    const float* bias = output.bias + column;
    if (count < lanes()) {
      std::fill(std::copy_n(bias, count, buffer), buffer + Int4Shape::kColumns, 0.0f);
      bias = buffer;
    }
    sums = hn::Add(sums, hn::LoadU(f32, bias));
  }
  if (output.relu) sums = hn::IfThenZeroElse(hn::Lt(sums, hn::Zero(f32)), sums);
  if (count == lanes()) {
    hn::StoreU(sums, f32, y);
  } else {
    hn::StoreU(sums, f32, buffer);
    std::copy_n(buffer, count, y);
  }
}

/// Fetches the lines of y that finish_sums will write: from memory they come slower than the sums.
HWY_INLINE void prefetch_output(const Int4Output& output, std::int64_t n, std::int64_t row, std::int64_t rows,
                                std::int64_t column) {
  for (std::int64_t r = row; r < row + rows && column < n; ++r)
    __builtin_prefetch(output.y + r * output.stride + column, 1);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
