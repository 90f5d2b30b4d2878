#include "torch_ext/graph/ops/recurrent/read_recurrent.h"

namespace samebits::trace_ops {

const TraceReader& gru() {
  static const TraceReader kReader{.kinds = {}, .from_layer = recurrent_of_layer<graph::Gru>};
  return kReader;
}

}  // namespace samebits::trace_ops
