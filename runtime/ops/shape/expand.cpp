#include "graph/ops/shape/expand.h"

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const View &x = call.x(), &y = call.y();
  const Strides strides = strides_of(x.sizes);
  const std::size_t added = y.sizes.size() - x.sizes.size();
  move(call, {x.data, y.sizes}, [&](std::size_t d, std::int64_t i) {
    return d < added || x.sizes[d - added] == 1 ? 0 : i * strides[d - added];
  });
}

}  // namespace

const Evaluator& expand() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
