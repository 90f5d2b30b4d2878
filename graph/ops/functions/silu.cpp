#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& silu() {
  static const Operator kOperator = define<Silu, infer_function<Silu>>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
