#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& rsqrt() {
  static const TraceReader kReader = plain_function<graph::Rsqrt>("samebits::rsqrt");
  return kReader;
}

}  // namespace samebits::trace_ops
