// The contract of kernels/observe/observe_quantize.h: two passes.
#include "kernels/observe/reference/observe_quantize.h"

#include "kernels/observe/reference/observe.h"
#include "kernels/quantize/reference/fake_quantize.h"
#include "kernels/quantize/reference/quantize.h"

namespace samebits::kernels::reference {

namespace {

MinMax range_of_any(const void* x, FloatType type, std::int64_t begin, std::int64_t end) {
  return with_float_type(
      type, [&](auto stored) { return range_of(static_cast<const decltype(stored)*>(x), begin, end); });
}

}  // namespace

MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                            std::int64_t end) {
  const MinMax range = range_of_any(args.x, args.type, begin, end);
  reference::quantize_run(args, grid, begin, end);
  return args.fold_relu ? relu_of(range) : range;
}

MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                 std::int64_t end) {
  const MinMax range = range_of_any(args.x, args.type, begin, end);  // first: y may be x
  reference::fake_quantize_run(args, grid, begin, end);
  return range;
}

}  // namespace samebits::kernels::reference
