#include "graph/ops/elementwise/clamp.h"

#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

template <class T>
void clamp_all(const Call& call, const T* x, T* y, T low, T high) {
  call.threads.parallel_for(call.x().count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < low ? low : x[i] > high ? high : x[i];
  });
}

void run(const Call& call) {
  const auto& clamp = call.node.as<graph::Clamp>();
  View& y = call.y();
  if (!y.is_codes()) return clamp_all(call, call.x().floats(), y.floats(), clamp.low, clamp.high);
  // Quantizing keeps order: the codes of the bounds bound the codes.
  const auto code = [&](float bound) {
    return static_cast<std::int8_t>(kernels::code_at(kernels::grid_position(bound, y.grid()), y.grid()));
  };
  clamp_all(call, call.x().codes(), y.codes(), code(clamp.low), code(clamp.high));
}

}  // namespace

const Evaluator& clamp() {
  static constexpr Evaluator kEvaluator{.run = run, .sharing = Sharing::kInPlace};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
