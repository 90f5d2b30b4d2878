#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& erf() {
  static const TraceReader kReader = plain_function<graph::Erf>("samebits::erf", "aten::erf", "aten::erf_");
  return kReader;
}

}  // namespace samebits::trace_ops
