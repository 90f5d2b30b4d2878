// gru: a GRU: n = tanh(n_x + sigmoid(r) · n_h), h = (h - n) · sigmoid(z) + n.
#include "graph/ops/recurrent/recurrent.h"

namespace samebits::graph::ops {

const Operator& gru() {
  static const Operator kOperator = define_recurrent<Gru>();
  return kOperator;
}

}  // namespace samebits::graph::ops
