#include "torch_ext/graph/ops/functions/read_function.h"

namespace samebits::trace_ops {

const TraceReader& silu() {
  static const TraceReader kReader = plain_function<graph::Silu>("samebits::silu");
  return kReader;
}

}  // namespace samebits::trace_ops
