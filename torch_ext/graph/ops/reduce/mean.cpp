#include "graph/ops/reduce/mean.h"

#include "torch_ext/graph/ops/reduce/read_reduced.h"

namespace samebits::trace_ops {

const TraceReader& mean() {
  static const TraceReader kReader{.kinds = {"samebits::mean"},
                                   .read = read_reduced<graph::Mean>,
                                   .exact = {{"aten::mean", "samebits::mean"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
