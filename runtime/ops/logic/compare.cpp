#include "graph/ops/logic/compare.h"

#include "kernels/logic/logic.h"
#include "runtime/broadcast.h"

namespace samebits::runtime::ops {
namespace {

/// In the order of graph::Comparison.
constexpr kernels::CompareKind kKinds[] = {
    kernels::CompareKind::kEqual,   kernels::CompareKind::kNotEqual,
    kernels::CompareKind::kLess,    kernels::CompareKind::kLessOrEqual,
    kernels::CompareKind::kGreater, kernels::CompareKind::kGreaterOrEqual};

template <class T>
void run_on(const Call& call, const T* a, const T* b) {
  const kernels::CompareKind kind = kKinds[static_cast<std::size_t>(call.node.as<graph::Compare>().kind)];
  std::uint8_t* y = call.y().flags();
  for_each_run<2>(call, [&](std::int64_t i, std::int64_t count, const auto& offsets, const auto& steps) {
    kernels::compare(kind, {a + offsets[0], steps[0]}, {b + offsets[1], steps[1]}, y + i, count);
  });
}

void run(const Call& call) {
  if (call.x().dtype == graph::Dtype::kFloat32)
    run_on(call, call.inputs[0]->floats(), call.inputs[1]->floats());
  else
    run_on(call, call.inputs[0]->integers(), call.inputs[1]->integers());
}

}  // namespace

const Evaluator& compare() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
