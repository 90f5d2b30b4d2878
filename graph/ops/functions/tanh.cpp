#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& tanh() {
  static const Operator kOperator = define<Tanh, infer_function<Tanh>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
