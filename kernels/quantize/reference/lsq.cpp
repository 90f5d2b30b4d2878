// The contract of kernels/quantize/lsq.h as plain loops.
#include "kernels/quantize/reference/lsq.h"

#include <algorithm>

namespace samebits::kernels::reference {
namespace {

template <class Stored>
bool run_as(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
            LsqSums& sums) {
  LaneSums slopes, clipped;
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const LsqTerm term = lsq_element<Stored>(args, i, grid);
    slopes.add(i - begin, term.slope);
    clipped.add(i - begin, term.clipped);
    saw_nan = saw_nan || term.is_nan;
  }
  sums.slopes += slopes.fold();
  sums.clipped += clipped.fold();
  return saw_nan;
}

template <class Stored>
bool columns_as(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums) {
  bool saw_nan = false;
  std::fill(sums, sums + columns.columns, LsqSums{});
  for (std::int64_t pass = 0; pass < columns.passes; ++pass) {
    for (std::int64_t c = 0; c < columns.columns; ++c) {
      const std::int32_t zero_point = columns.zero_point == nullptr ? 0 : columns.zero_point[c];
      const AffineGrid grid{columns.scale[c], zero_point, columns.qmin, columns.qmax};
      const LsqTerm term = lsq_element<Stored>(args, columns.begin + pass * columns.stride + c, grid);
      sums[c].slopes += term.slope;
      sums[c].clipped += term.clipped;
      saw_nan = saw_nan || term.is_nan;
    }
  }
  return saw_nan;
}

}  // namespace

bool lsq_backward_run(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
                      LsqSums& sums) {
  return with_float_type(args.type,
                         [&](auto stored) { return run_as<decltype(stored)>(args, grid, begin, end, sums); });
}

bool lsq_backward_columns(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums) {
  return with_float_type(args.type,
                         [&](auto stored) { return columns_as<decltype(stored)>(args, columns, sums); });
}

}  // namespace samebits::kernels::reference
