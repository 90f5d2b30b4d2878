#include "graph/ops/shape/slice.h"

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const auto& slice = call.node.as<graph::Slice>();
  const View& x = call.x();
  const auto axis = static_cast<std::size_t>(slice.axis);
  const std::int64_t begin = slice.begin.at(call.symbols), end = slice.end.at(call.symbols);
  if (begin < 0 || end > x.sizes[axis])
    io::fail("[runtime] ", call.node.name, ": expected a slice within 0..", x.sizes[axis], " of dimension ",
             axis, ", got ", begin, "..", end, "; give it a shorter input");
  const Strides strides = strides_of(x.sizes);
  move(call, {x.data, call.y().sizes},
       [&](std::size_t d, std::int64_t i) { return (d == axis ? begin + i * slice.step : i) * strides[d]; });
}

}  // namespace

const Evaluator& slice() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
