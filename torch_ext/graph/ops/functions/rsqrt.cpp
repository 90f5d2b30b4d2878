#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& rsqrt() {
  static const TraceReader kReader =
      plain_function<graph::Rsqrt>("samebits::rsqrt", "aten::rsqrt", "aten::rsqrt_");
  return kReader;
}

}  // namespace samebits::trace_ops
