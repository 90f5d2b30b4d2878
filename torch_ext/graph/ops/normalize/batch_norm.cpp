#include "graph/ops/normalize/batch_norm.h"

#include "kernels/float/normalize.h"
#include "torch_ext/graph/ops/normalize/arguments.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  TORCH_CHECK(!walk.constant<bool>(node, 5, "training"), "[export] ", walk.made_name("batch_norm"),
              ": expected eval mode, got statistics of the batch; call eval(), or track running statistics");
  const std::vector<float> weight = floats_of(walk.tensor(node, 1, "weight")),
                           bias = floats_of(walk.tensor(node, 2, "bias")),
                           mean = floats_of(walk.tensor(node, 3, "running mean")),
                           var = floats_of(walk.tensor(node, 4, "running variance"));
  const auto or_null = [](const std::vector<float>& values) {
    return values.empty() ? nullptr : values.data();
  };
  graph::BatchNorm norm{.scale = std::vector<float>(mean.size()), .bias = std::vector<float>(mean.size())};
  const auto eps = static_cast<float>(walk.constant<double>(node, 7, "eps"));
  kernels::batch_norm_terms({or_null(weight), or_null(bias), mean.data(), var.data(), eps},
                            static_cast<std::int64_t>(mean.size()), norm.scale.data(), norm.bias.data());
  walk.add(std::move(norm), {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& batch_norm() {
  static const TraceReader kReader{.kinds = {"samebits::batch_norm"},
                                   .read = read,
                                   .exact = {{"aten::batch_norm", "samebits::batch_norm"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
