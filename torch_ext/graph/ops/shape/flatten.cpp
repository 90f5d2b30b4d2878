// A view is a flatten where it keeps the first dimensions and joins the others; else it is a reshape.
#include "torch_ext/graph/ops/shape/reshape.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  read_sizes(walk, node);
}

}  // namespace

const TraceReader& flatten() {
  static const TraceReader kReader{.kinds = {"aten::flatten", "aten::view", "aten::reshape"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
