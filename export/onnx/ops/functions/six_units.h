// min(max(x + 3, 0), 6), which hardsigmoid and hardswish divide by 6.
#pragma once

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

inline std::string six_units(const OnnxNode& out) {
  const std::string sum = out.onnx.add("Add", {out.node.inputs[0], scalar(out, "three", 3)}, "sum");
  return out.onnx.add("Clip", {sum, scalar(out, "zero", 0), scalar(out, "six", 6)}, "six_units");
}

}  // namespace samebits::onnx_forms
