#include "graph/ops/reduce/amax.h"

#include "torch_ext/graph/ops/reduce/read_reduced.h"

namespace samebits::trace_ops {

const TraceReader& amax() {
  static const TraceReader kReader{.kinds = {"samebits::amax"},
                                   .read = read_reduced<graph::Amax>,
                                   .exact = {{"aten::amax", "samebits::amax"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
