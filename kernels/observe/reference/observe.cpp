// The contract of kernels/observe/observe.h as a plain loop.
#include "kernels/observe/reference/observe.h"

namespace samebits::kernels::reference {
namespace {

template <class Stored>
Observation observe_as(const Stored* x, std::int64_t begin, std::int64_t end) {
  LaneSums sums, squares;
  for (std::int64_t i = begin; i < end; ++i) {
    const float number = to_float(x[i]);
    const double value = std::isnan(number) ? 0.0 : double{number};
    sums.add(i - begin, value);
    squares.add(i - begin, value * value);
  }
  return {range_of(x, begin, end), with_one_nan(sums.fold()), squares.fold()};
}

}  // namespace

Observation observe_chunk(const void* x, std::int64_t begin, std::int64_t end, FloatType type) {
  return with_float_type(
      type, [&](auto stored) { return observe_as(static_cast<const decltype(stored)*>(x), begin, end); });
}

}  // namespace samebits::kernels::reference
