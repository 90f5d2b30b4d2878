#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& sigmoid() {
  static const TraceReader kReader =
      plain_function<graph::Sigmoid>("samebits::sigmoid", "aten::sigmoid", "aten::sigmoid_");
  return kReader;
}

}  // namespace samebits::trace_ops
