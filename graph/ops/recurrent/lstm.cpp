// lstm: an LSTM: c = sigmoid(f) · c + sigmoid(i) · tanh(g), h = sigmoid(o) · tanh(c).
#include "graph/ops/recurrent/recurrent.h"

namespace samebits::graph::ops {

const Operator& lstm() {
  static const Operator kOperator = define_recurrent<Lstm>();
  return kOperator;
}

}  // namespace samebits::graph::ops
