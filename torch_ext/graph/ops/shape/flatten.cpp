// flatten, and view and reshape where they flatten all but the batch.
#include "graph/ops/shape/flatten.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read_flatten(TraceWalk& walk, const torch::jit::Node* node) {
  const auto rank = static_cast<std::int64_t>(walk.sizes_of(node->input(0)).size());
  std::int64_t start_dim = walk.constant<std::int64_t>(node, 1, "start_dim"),
               end_dim = walk.constant<std::int64_t>(node, 2, "end_dim");
  if (start_dim < 0) start_dim += rank;
  if (end_dim < 0) end_dim += rank;
  TORCH_CHECK(start_dim >= 1 && end_dim == rank - 1, "[export] ", walk.made_name("flatten"),
              ": expected to flatten from dimension 1 or later to the last, got ", start_dim, " to ",
              end_dim);
  walk.add(graph::Flatten{start_dim}, {node->input(0)}, node->output(0));
}

void read_view(TraceWalk& walk, const torch::jit::Node* node) {
  const auto from = walk.sizes_of(node->input(0)), to = walk.sizes_of(node->output(0));
  if (from == to) return walk.pass_through(node);
  TORCH_CHECK(to.size() == 2 && to[0] == from[0], "[export] after ", walk.previous(), ": expected ",
              node->kind().toQualString(), " to keep the batch and flatten the rest, got ",
              at::IntArrayRef(from), " to ", at::IntArrayRef(to));
  walk.add(graph::Flatten{1}, {node->input(0)}, node->output(0));
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const bool is_flatten = std::string(node->kind().toQualString()) == "aten::flatten";
  is_flatten ? read_flatten(walk, node) : read_view(walk, node);
}

}  // namespace

const TraceReader& flatten() {
  static const TraceReader kReader{{"aten::flatten", "aten::view", "aten::reshape"}, read};
  return kReader;
}

}  // namespace samebits::trace_ops
