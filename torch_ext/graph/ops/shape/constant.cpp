// No operator of a trace: what readers make of parameters, buffers and numbers (torch_ext/graph/operands.h).
#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {

const TraceReader& constant() {
  static const TraceReader kReader;
  return kReader;
}

}  // namespace samebits::trace_ops
