#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& exp() {
  static const TraceReader kReader = plain_function<graph::Exp>("samebits::exp", "aten::exp", "aten::exp_");
  return kReader;
}

}  // namespace samebits::trace_ops
