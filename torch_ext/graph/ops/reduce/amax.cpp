#include "graph/ops/reduce/amax.h"

#include "torch_ext/graph/ops/reduce/read_reduced.h"

namespace samebits::trace_ops {

const TraceReader& amax() {
  static const TraceReader kReader{{"samebits::amax"}, read_reduced<graph::Amax>};
  return kReader;
}

}  // namespace samebits::trace_ops
