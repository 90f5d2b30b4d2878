#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& hardswish() {
  static const TraceReader kReader =
      plain_function<graph::Hardswish>("samebits::hardswish", "aten::hardswish", "aten::hardswish_");
  return kReader;
}

}  // namespace samebits::trace_ops
