// kernels/float/rows-inl.h for the vectors of one Highway target, and how rows are shared out to them.
#if defined(SAMEBITS_CPU_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SAMEBITS_CPU_ROWS_INL_H
#undef SAMEBITS_CPU_ROWS_INL_H
#else
#define SAMEBITS_CPU_ROWS_INL_H
#endif

#include <algorithm>

#include "kernels/float/cpu/vector_ops-inl.h"
#include "kernels/float/normalize.h"
#include "kernels/float/reduce.h"

#if SAMEBITS_HAS_VECTOR_OPS
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

#include "kernels/float/rows-inl.h"

/// body(the first row's first element, the first row, count) for vectors of rows that stand side by side.
template <class Body>
HWY_INLINE void for_each_vector_of_rows(const RowShape& shape, std::int64_t begin, std::int64_t end,
                                        Body body) {
  for (std::int64_t row = begin; row < end;) {
    const std::int64_t side_by_side = std::min(end - row, shape.inner - row % shape.inner);
    const auto count = static_cast<int>(std::min<std::int64_t>(side_by_side, VectorOps::kLanes));
    body(shape.begin(row), row, count);
    row += count;
  }
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // SAMEBITS_HAS_VECTOR_OPS
#endif
