// Sum, bounds, product and quotient, as the contract has them: HardSwish multiplies by a sixth.
#include "export/onnx/ops/functions/six_units.h"

namespace samebits::onnx_forms {

void hardswish(const OnnxNode& out) {
  const std::string product = out.onnx.add("Mul", {out.node.inputs[0], six_units(out)}, "product");
  out.onnx.add("Div", {product, scalar(out, "six", 6)}, "hardswish");
}

}  // namespace samebits::onnx_forms
