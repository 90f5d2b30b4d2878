#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& exp() {
  static const Operator kOperator = define<Exp, infer_function<Exp>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
