#include "graph/ops/shape/pad.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

graph::PadMode mode_of(const TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = node->kind().toQualString();
  const std::string mode = kind == "aten::pad" ? walk.constant<std::string>(node, 2, "mode") : kind;
  TORCH_CHECK(mode != "circular", "[export] after ", walk.previous(),
              ": expected mode constant, reflect or replicate of aten::pad, got circular");
  if (mode.find("reflect") != std::string::npos) return graph::PadMode::kReflect;
  return mode.find("replic") != std::string::npos ? graph::PadMode::kReplicate : graph::PadMode::kConstant;
}

float value_of(const TraceWalk& walk, const torch::jit::Node* node) {
  const std::size_t input = std::string(node->kind().toQualString()) == "aten::pad" ? 3 : 2;
  return is_none(node, input) ? 0.0f : walk.constant<at::Scalar>(node, input, "value").to<float>();
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::size_t rank = walk.sizes_of(node->input(0)).size();
  const std::vector<std::int64_t> paddings = walk.integers(node, 1, "paddings");
  graph::Pad pad;
  pad.before.assign(rank, 0);
  pad.after.assign(rank, 0);
  pad.mode = mode_of(walk, node);
  if (pad.mode == graph::PadMode::kConstant) pad.value = value_of(walk, node);
  for (std::size_t i = 0; i + 1 < paddings.size(); i += 2) {  // the last dimension first
    pad.before[rank - 1 - i / 2] = paddings[i];
    pad.after[rank - 1 - i / 2] = paddings[i + 1];
  }
  walk.add(pad, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& pad() {
  static const TraceReader kReader{
      .kinds = {"aten::pad", "aten::constant_pad_nd", "aten::reflection_pad1d", "aten::reflection_pad2d",
                "aten::replication_pad1d", "aten::replication_pad2d"},
      .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
