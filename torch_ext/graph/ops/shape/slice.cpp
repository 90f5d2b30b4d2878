#include "graph/ops/shape/slice.h"

#include <algorithm>
#include <limits>

#include "graph/ops/shape/reshape.h"
#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

/// Elements [begin, end) of x along an axis, in the sizes of `output`.
void add_slice(TraceWalk& walk, const torch::jit::Node* node, const graph::Slice& slice,
               const torch::jit::Value* output) {
  const graph::Shape x = walk.shape_of(node->input(0)), y = walk.shape_of(output);
  const auto axis = static_cast<std::size_t>(slice.axis);
  std::string name = walk.name_of(node->input(0));
  const bool is_all = slice.begin == graph::Dimension(0) && slice.end == x[axis] && slice.step == 1;
  if (!is_all) name = walk.make(slice, {name});
  if (y.size() != x.size()) name = walk.make(graph::Reshape{y}, {name});  // select and unbind
  walk.bind(output, name);
}

/// A bound, where a number below 0 counts from the end and none is beyond it.
graph::Dimension bound(const TraceWalk& walk, const torch::jit::Node* node, std::size_t input,
                       const graph::Dimension& size, const graph::Dimension& none) {
  if (is_none(node, input)) return none;
  graph::Dimension value = walk.dimension(node, input, "bound");
  if (!value.is_number()) return value;
  if (value.offset < 0) value = size + value;
  if (value.is_number() && size.is_number()) value = std::clamp<std::int64_t>(value.offset, 0, size.offset);
  return value.is_number() && value.offset == std::numeric_limits<std::int64_t>::max() ? size : value;
}

graph::Slice slice_of(const TraceWalk& walk, const torch::jit::Node* node, std::size_t axis,
                      const graph::Dimension& size) {
  const std::string kind = node->kind().toQualString();
  graph::Slice slice{.axis = static_cast<std::int64_t>(axis), .begin = 0, .end = size};
  slice.begin = bound(walk, node, 2, size, slice.begin);
  if (kind == "aten::select") {
    slice.end = slice.begin + 1;
  } else if (kind == "aten::narrow") {
    slice.end = slice.begin + walk.dimension(node, 3, "length");
  } else {
    slice.end = bound(walk, node, 3, size, slice.end);
    slice.step = walk.constant<std::int64_t>(node, 4, "step");
  }
  return slice;
}

/// Pieces side by side, as large as the outputs are.
void read_pieces(TraceWalk& walk, const torch::jit::Node* node, std::size_t axis, bool is_unbind) {
  graph::Dimension begin = 0;
  for (const torch::jit::Value* output : walk.results(node)) {
    const graph::Dimension end = begin + (is_unbind ? graph::Dimension(1) : walk.shape_of(output)[axis]);
    if (!output->uses().empty())
      add_slice(walk, node, {.axis = static_cast<std::int64_t>(axis), .begin = begin, .end = end}, output);
    begin = end;
  }
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = node->kind().toQualString();
  const graph::Shape x = walk.shape_of(node->input(0));
  const bool is_split = kind == "aten::split" || kind == "aten::split_with_sizes" || kind == "aten::chunk";
  const std::size_t axis = dimension_at(walk, node, is_split ? 2 : 1, x.size());
  if (is_split || kind == "aten::unbind") return read_pieces(walk, node, axis, kind == "aten::unbind");
  add_slice(walk, node, slice_of(walk, node, axis, x[axis]), node->output(0));
}

}  // namespace

const TraceReader& slice() {
  static const TraceReader kReader{.kinds = {"aten::slice", "aten::select", "aten::narrow", "aten::split",
                                             "aten::split_with_sizes", "aten::chunk", "aten::unbind"},
                                   .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
