#include "torch_ext/graph/trace_reader.h"

#include "torch_ext/modules/joined_batch_norm.h"

namespace samebits {

namespace trace_ops {
#define SAMEBITS_OPERATOR(theme, name) const TraceReader& name();
#include "graph/operators.inc"
}  // namespace trace_ops

const TraceReader& trace_reader_of(const graph::Operator& op) {
#define SAMEBITS_OPERATOR(theme, name) &trace_ops::name(),
  static const TraceReader* const kTable[] = {
#include "graph/operators.inc"
  };
  return *kTable[graph::index_of(op)];
}

const std::map<std::string, std::string>& exact_operators() {
  static const std::map<std::string, std::string> kPairs = [] {
    std::map<std::string, std::string> pairs;
    for (const graph::Operator* op : graph::operators())
      for (const auto& [kind, exact] : trace_reader_of(*op).exact) pairs[kind] = exact;
    return pairs;
  }();
  return kPairs;
}

bool read_identity(TraceWalk& walk, const torch::jit::Node* node) {
  static const std::set<std::string> kDropouts = {"aten::dropout", "aten::feature_dropout"};
  static const std::set<std::string> kOthers = {"aten::contiguous", "aten::detach"};
  const std::string kind = node->kind().toQualString();
  const bool is_dropout = kDropouts.count(kind) != 0;
  if (!is_dropout && kOthers.count(kind) == 0) return false;
  TORCH_CHECK(!is_dropout || !walk.constant<bool>(node, 2, "train"), "[export] after ", walk.previous(),
              ": expected ", kind,
              " to follow train() and eval(), got one that drops in eval mode too; pass is_training() to it");
  walk.pass_through(node);
  return true;
}

LayerChannels channels_of(const QATLayer& layer) {
  if (layer.batch_norm() == nullptr)
    return {layer.bias.defined() ? values_of<float>(layer.bias) : std::vector<float>(), {}};
  const FoldedBatchNorm folded = layer.batch_norm()->folded(layer.bias);
  return {values_of<float>(folded.bias), values_of<float>(folded.scale)};
}

bool is_integer(const QATLayer& layer, const char* kind) {
  return std::string(layer.kind()) == kind &&
         (layer.state() == QuantizerState::kQuantizing || layer.state() == QuantizerState::kFrozen);
}

bool is_float(const QATLayer& layer, const char* kind) {
  return std::string(layer.kind()) == kind && layer.is_skipped();
}

graph::FloatTensor float_weight_of(const QATLayer& layer) {
  return {layer.weight.sizes().vec(), values_of<float>(layer.weight)};
}

}  // namespace samebits
