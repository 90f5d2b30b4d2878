// float_lstm: an LSTM whose products are float32.
#include "graph/ops/recurrent/recurrent.h"

namespace samebits::graph::ops {

const Operator& float_lstm() {
  static const Operator kOperator = define_recurrent<FloatLstm>();
  return kOperator;
}

}  // namespace samebits::graph::ops
