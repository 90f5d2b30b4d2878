// Sum, bounds and quotient, as the contract has them: HardSigmoid multiplies by a sixth.
#include "export/onnx/ops/functions/six_units.h"

namespace samebits::onnx_forms {

void hardsigmoid(const OnnxNode& out) {
  out.onnx.add("Div", {six_units(out), scalar(out, "six", 6)}, "hardsigmoid");
}

}  // namespace samebits::onnx_forms
