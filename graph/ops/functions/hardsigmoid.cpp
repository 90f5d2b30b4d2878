#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& hardsigmoid() {
  static const Operator kOperator = define<Hardsigmoid, infer_function<Hardsigmoid>>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
