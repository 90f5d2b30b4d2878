#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& silu() {
  static const Operator kOperator = define<Silu, infer_function<Silu>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
