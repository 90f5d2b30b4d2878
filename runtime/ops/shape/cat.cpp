#include "graph/ops/shape/cat.h"

#include "kernels/move/indexed_copy.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  View& y = call.y();
  const auto axis = static_cast<std::size_t>(call.node.as<graph::Cat>().axis);
  std::int64_t outer = 1, inner = y.element_bytes();  // in bytes
  for (std::size_t d = 0; d < y.sizes.size(); ++d) (d < axis ? outer : inner) *= d == axis ? 1 : y.sizes[d];
  char* to = static_cast<char*>(y.data);
  for (const View* x : call.inputs) {
    const std::int64_t bytes = x->sizes[axis] * inner;
    call.threads.parallel_for(outer, grain_of(bytes), [&](std::int64_t begin, std::int64_t end) {
      kernels::copy_rows(x->data, bytes, to, y.sizes[axis] * inner, bytes, begin, end);
    });
    to += bytes;
  }
}

}  // namespace

const Evaluator& cat() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
