#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& sqrt() {
  static const TraceReader kReader =
      plain_function<graph::Sqrt>("samebits::sqrt", "aten::sqrt", "aten::sqrt_");
  return kReader;
}

}  // namespace samebits::trace_ops
