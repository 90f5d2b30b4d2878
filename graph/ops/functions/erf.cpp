#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& erf() {
  static const Operator kOperator = define<Erf, infer_function<Erf>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
