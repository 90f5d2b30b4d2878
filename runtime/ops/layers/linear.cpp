// Work is split by rows or columns: no sum is shared.
#include "graph/ops/layers/linear.h"

#include <algorithm>
#include <atomic>

#include "runtime/evaluator.h"
#include "runtime/packed_weights.h"

namespace samebits::runtime::ops {
namespace {

std::shared_ptr<const void> pack(const graph::Node& node) {
  return std::make_shared<PackedLinear>(node.as<graph::Linear>());
}

void run(const Call& call) {
  const auto& layer = *static_cast<const PackedLinear*>(call.packed);
  View& y = call.y();
  const std::int8_t* x_codes = input_codes(call, call.node.as<graph::Linear>().input_grid);
  const std::int64_t n = layer.out_features(), m = call.x().count() / layer.in_features();
  const std::int64_t parts =
      std::clamp<std::int64_t>(m * n * layer.in_features() / kProductGrain, 1, call.threads.threads());
  const LayerOutput output{y.floats(), y.codes(), y.is_codes() ? &y.grid() : nullptr, call.relu};
  std::atomic<bool> saw_nan = false;
  call.threads.parallel_for(parts, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t part = begin; part < end; ++part)
      if (layer.multiply(x_codes, output, kernels::gemm_region(m, n, part, parts))) saw_nan = true;
  });
  if (saw_nan) fail_nan(*y.reader);
}

}  // namespace

const Evaluator& linear() {
  static constexpr Evaluator kEvaluator{run, pack};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
