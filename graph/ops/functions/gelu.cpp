#include "graph/ops/functions/gelu.h"

#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& gelu() {
  static const Operator kOperator = define<Gelu, infer_function<Gelu>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
