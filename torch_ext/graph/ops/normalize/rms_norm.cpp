#include "graph/ops/normalize/rms_norm.h"

#include <limits>

#include "torch_ext/graph/ops/normalize/arguments.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const auto eps = walk.constant<std::optional<double>>(node, 3, "eps");
  walk.add(graph::RmsNorm{.dims = static_cast<std::int64_t>(walk.integers(node, 1, "sizes").size()),
                          .eps = eps.has_value() ? static_cast<float>(*eps)
                                                 : std::numeric_limits<float>::epsilon(),
                          .weight = floats_of(walk.tensor(node, 2, "weight"))},
           {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& rms_norm() {
  static const TraceReader kReader{
      .kinds = {"samebits::rms_norm"}, .read = read, .exact = {{"aten::rms_norm", "samebits::rms_norm"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
