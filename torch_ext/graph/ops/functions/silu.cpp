#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& silu() {
  static const TraceReader kReader =
      plain_function<graph::Silu>("samebits::silu", "aten::silu", "aten::silu_");
  return kReader;
}

}  // namespace samebits::trace_ops
