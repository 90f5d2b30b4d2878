#include "graph/ops/logic/logical.h"

#include "kernels/logic/logic.h"
#include "runtime/broadcast.h"

namespace samebits::runtime::ops {
namespace {

/// In the order of graph::LogicalKind.
constexpr kernels::LogicKind kKinds[] = {kernels::LogicKind::kAnd, kernels::LogicKind::kOr,
                                         kernels::LogicKind::kXor};

void run(const Call& call) {
  const kernels::LogicKind kind = kKinds[static_cast<std::size_t>(call.node.as<graph::Logical>().kind)];
  const std::uint8_t *a = call.inputs[0]->flags(), *b = call.inputs[1]->flags();
  std::uint8_t* y = call.y().flags();
  for_each_run<2>(call, [&](std::int64_t i, std::int64_t count, const auto& offsets, const auto& steps) {
    kernels::logical(kind, {a + offsets[0], steps[0]}, {b + offsets[1], steps[1]}, y + i, count);
  });
}

}  // namespace

const Evaluator& logical() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
