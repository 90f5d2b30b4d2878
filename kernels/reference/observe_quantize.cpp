// The contract of kernels/observe_quantize.h: two passes.
#include "kernels/reference/observe_quantize.h"

#include "kernels/reference/fake_quantize.h"
#include "kernels/reference/min_max.h"
#include "kernels/reference/quantize.h"

namespace samebits::kernels::reference {

namespace {

/// The range of elements [begin, end) of an array of `type`, or of their relu.
MinMax range_of(const void* x, FloatType type, bool fold_relu, std::int64_t begin, std::int64_t end) {
  return with_float_type(type, [&](auto stored) {
    const auto* values = static_cast<const decltype(stored)*>(x);
    MinMax range;
    for (std::int64_t i = begin; i < end; ++i) {
      const float read = to_float(values[i]), value = fold_relu && read <= 0.0f ? 0.0f : read;
      range = merge(range, reference::min_max(&value, 0, 1));
    }
    return range;
  });
}

}  // namespace

MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                            std::int64_t end) {
  const MinMax range = range_of(args.x, args.type, args.fold_relu, begin, end);
  reference::quantize_run(args, grid, begin, end);
  return range;
}

MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                 std::int64_t end) {
  const MinMax range = range_of(args.x, args.type, false, begin, end);  // first: y may be x
  reference::fake_quantize_run(args, grid, begin, end);
  return range;
}

}  // namespace samebits::kernels::reference
