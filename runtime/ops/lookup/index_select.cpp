#include "graph/ops/lookup/index_select.h"

#include <algorithm>

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const View &x = call.x(), &index = *call.inputs[1];
  const auto axis = static_cast<std::size_t>(call.node.as<graph::IndexSelect>().axis);
  check_indices(call, index, x.sizes[axis]);
  const Strides strides = strides_of(x.sizes);
  std::array<std::int64_t, graph::kMaxRank> sizes = {};
  std::copy(x.sizes.begin(), x.sizes.end(), sizes.begin());
  sizes[axis] = index.count();
  move(call, {x.data, std::span(sizes).first(x.sizes.size())},
       [&](std::size_t d, std::int64_t i) { return (d == axis ? index.integers()[i] : i) * strides[d]; });
}

}  // namespace

const Evaluator& index_select() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
