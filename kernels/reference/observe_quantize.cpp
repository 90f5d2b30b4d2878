// The contract of kernels/observe_quantize.h: two passes.
#include "kernels/reference/observe_quantize.h"

#include "kernels/reference/fake_quantize.h"
#include "kernels/reference/min_max.h"
#include "kernels/reference/quantize.h"

namespace samebits::kernels::reference {

MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                            std::int64_t end) {
  const MinMax range = reference::min_max(static_cast<const float*>(args.x), begin, end);
  reference::quantize_run(args, grid, begin, end);
  return range;
}

MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                 std::int64_t end) {
  const MinMax range = reference::min_max(static_cast<const float*>(args.x), begin, end);  // first: y may be x
  reference::fake_quantize_run(args, grid, begin, end);
  return range;
}

}  // namespace samebits::kernels::reference
