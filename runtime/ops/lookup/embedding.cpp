#include "graph/ops/lookup/embedding.h"

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const graph::FloatTensor& weight = call.node.as<graph::Embedding>().weight;
  const View& index = call.x();
  check_indices(call, index, weight.shape[0]);
  const std::int64_t columns = weight.shape[1], sizes[] = {index.count(), columns};
  move(call, {weight.values.data(), sizes},
       [&](std::size_t d, std::int64_t i) { return d == 0 ? index.integers()[i] * columns : i; });
}

}  // namespace

const Evaluator& embedding() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
