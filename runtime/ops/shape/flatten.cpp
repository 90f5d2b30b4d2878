#include "graph/ops/shape/flatten.h"

#include <algorithm>

#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const View& x = call.x();
  View& y = call.y();
  if (x.is_codes())
    std::copy_n(x.codes(), x.count(), y.codes());
  else
    std::copy_n(x.floats(), x.count(), y.floats());
}

}  // namespace

const Evaluator& flatten() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
