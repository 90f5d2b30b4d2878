#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& hardsigmoid() {
  static const TraceReader kReader =
      plain_function<graph::Hardsigmoid>("samebits::hardsigmoid", "aten::hardsigmoid", "aten::hardsigmoid_");
  return kReader;
}

}  // namespace samebits::trace_ops
