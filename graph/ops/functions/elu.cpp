#include "graph/ops/functions/elu.h"

#include <cmath>

#include "graph/ops/functions/plain_function.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Elu& elu, Types inputs) {
  if (!std::isfinite(elu.alpha * elu.scale) || !std::isfinite(elu.scale) || !std::isfinite(elu.input_scale) ||
      elu.input_scale <= 0)
    fail_node(node, "expected finite alpha and scale and an input_scale > 0, got ", elu.alpha, ", ",
              elu.scale, " and ", elu.input_scale);
  return infer_function(node, elu, inputs);
}

}  // namespace

const Operator& elu() {
  static const Operator kOperator = define<Elu, infer>({.is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
