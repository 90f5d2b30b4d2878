#include "graph/ops/normalize/log_softmax.h"

#include "kernels/float/softmax.h"
#include "runtime/ops/normalize/run_rows.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  run_rows(call, call.node.as<graph::LogSoftmax>().dim,
           [&](const kernels::RowShape& shape, std::int64_t begin, std::int64_t end) {
             kernels::softmax({call.x().floats(), call.y().floats(), shape, true}, begin, end);
           });
}

}  // namespace

const Evaluator& log_softmax() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
