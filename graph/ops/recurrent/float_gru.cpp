// float_gru: a GRU whose products are float32.
#include "graph/ops/recurrent/recurrent.h"

namespace samebits::graph::ops {

const Operator& float_gru() {
  static const Operator kOperator = define_recurrent<FloatGru>();
  return kOperator;
}

}  // namespace samebits::graph::ops
