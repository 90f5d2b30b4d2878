#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& log() {
  static const TraceReader kReader = plain_function<graph::Log>("samebits::log", "aten::log", "aten::log_");
  return kReader;
}

}  // namespace samebits::trace_ops
