#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& sigmoid() {
  static const Operator kOperator = define<Sigmoid, infer_function<Sigmoid>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
