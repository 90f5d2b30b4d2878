#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& rsqrt() {
  static const Operator kOperator = define<Rsqrt, infer_function<Rsqrt>>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
