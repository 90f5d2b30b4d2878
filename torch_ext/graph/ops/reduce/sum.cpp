#include "graph/ops/reduce/sum.h"

#include "torch_ext/graph/ops/reduce/read_reduced.h"

namespace samebits::trace_ops {

const TraceReader& sum() {
  static const TraceReader kReader{.kinds = {"samebits::sum"},
                                   .read = read_reduced<graph::Sum>,
                                   .exact = {{"aten::sum", "samebits::sum"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
