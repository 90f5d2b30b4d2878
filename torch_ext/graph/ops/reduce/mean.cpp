#include "graph/ops/reduce/mean.h"

#include "torch_ext/graph/ops/reduce/read_reduced.h"

namespace samebits::trace_ops {

const TraceReader& mean() {
  static const TraceReader kReader{{"samebits::mean"}, read_reduced<graph::Mean>};
  return kReader;
}

}  // namespace samebits::trace_ops
