#include "export/onnx/onnx_node.h"

namespace samebits {

namespace onnx_forms {
#define SAMEBITS_OPERATOR(theme, name) OnnxForm name;
#include "graph/operators.inc"
}  // namespace onnx_forms

OnnxForm& onnx_form_of(const graph::Operator& op) {
#define SAMEBITS_OPERATOR(theme, name) onnx_forms::name,
  static OnnxForm* const kTable[] = {
#include "graph/operators.inc"
  };
  return *kTable[graph::index_of(op)];
}

std::int64_t onnx_type(graph::Dtype dtype) {
  switch (dtype) {
    case graph::Dtype::kFloat32:
      return onnx::TensorProto::FLOAT;
    case graph::Dtype::kInt64:
      return onnx::TensorProto::INT64;
    case graph::Dtype::kBool:
      return onnx::TensorProto::BOOL;
  }
  return onnx::TensorProto::UNDEFINED;
}

std::string add_zero(OnnxBuilder& onnx, const std::string& y) {
  const float zero = 0.0f;
  const std::string constant = onnx.constant("zero", {&zero, 1}, {});
  return onnx.add("Where", {onnx.add("Equal", {y, constant}, "is_zero"), constant, y}, "plus_zero");
}

}  // namespace samebits
