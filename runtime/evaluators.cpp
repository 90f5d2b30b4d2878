#include <atomic>

#include "kernels/quantize/quantize.h"
#include "runtime/evaluator.h"

namespace samebits::runtime {

namespace ops {
#define SAMEBITS_OPERATOR(theme, name) const Evaluator& name();
#include "graph/operators.inc"
}  // namespace ops

const Evaluator& evaluator_of(const graph::Operator& op) {
#define SAMEBITS_OPERATOR(theme, name) &ops::name(),
  static const Evaluator* const kTable[] = {
#include "graph/operators.inc"
  };
  return *kTable[graph::index_of(op)];
}

void fail_nan(const graph::Node& node) {
  io::fail("[runtime] ", node.name, ": input holds NaN; look for it in the model's input, then with on_node");
}

const std::int8_t* input_codes(const Call& call, const kernels::AffineGrid& grid) {
  const View& x = call.x();
  if (x.is_codes()) return x.codes();
  const std::int64_t count = x.count();
  auto* codes = static_cast<std::int8_t*>(call.scratch.at_least(count));
  const kernels::QuantizeArgs args{.x = x.floats(), .codes = codes, .clip_mask = nullptr};
  std::atomic<bool> saw_nan = false;
  call.threads.parallel_for(count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (kernels::quantize_run(args, grid, begin, end)) saw_nan = true;
  });
  if (saw_nan) fail_nan(call.node);
  return codes;
}

}  // namespace samebits::runtime
