#include "graph/ops/elementwise/relu.h"

#include <algorithm>

#include "kernels/float/relu.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

/// Codes below that of the real 0 become it.
void run_on_codes(const View& x, View& y, std::int64_t begin, std::int64_t end) {
  const auto zero = static_cast<std::int8_t>(y.grid().zero_point);
  const std::int8_t* from = x.codes();
  std::int8_t* to = y.codes();
  for (std::int64_t i = begin; i < end; ++i) to[i] = std::max(from[i], zero);
}

void run(const Call& call) {
  const View& x = call.x();
  View& y = call.y();
  const kernels::ReluArgs args{.x = x.data, .y = y.data, .clip_mask = nullptr};
  // By whole groups of 8, where the kernel may begin.
  const std::int64_t count = x.count(), groups = (count + 7) / 8;
  call.threads.parallel_for(groups, kGrain / 8, [&](std::int64_t first, std::int64_t last) {
    const std::int64_t begin = 8 * first, end = std::min(8 * last, count);
    x.is_codes() ? run_on_codes(x, y, begin, end) : kernels::relu(args, begin, end);
  });
}

}  // namespace

const Evaluator& relu() {
  static constexpr Evaluator kEvaluator{.run = run, .sharing = Sharing::kInPlace};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
