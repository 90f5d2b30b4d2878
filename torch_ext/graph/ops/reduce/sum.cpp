#include "graph/ops/reduce/sum.h"

#include "torch_ext/graph/ops/reduce/read_reduced.h"

namespace samebits::trace_ops {

const TraceReader& sum() {
  static const TraceReader kReader{{"samebits::sum"}, read_reduced<graph::Sum>};
  return kReader;
}

}  // namespace samebits::trace_ops
