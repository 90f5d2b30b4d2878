#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {

const Operator& log() {
  static const Operator kOperator = define<Log, infer_function<Log>>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
