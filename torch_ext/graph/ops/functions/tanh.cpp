#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& tanh() {
  static const TraceReader kReader =
      plain_function<graph::Tanh>("samebits::tanh", "aten::tanh", "aten::tanh_");
  return kReader;
}

}  // namespace samebits::trace_ops
