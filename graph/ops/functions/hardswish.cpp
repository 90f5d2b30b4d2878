#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& hardswish() {
  static const Operator kOperator = define<Hardswish, infer_function<Hardswish>>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
