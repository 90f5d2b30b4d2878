#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& sqrt() {
  static const Operator kOperator = define<Sqrt, infer_function<Sqrt>>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
