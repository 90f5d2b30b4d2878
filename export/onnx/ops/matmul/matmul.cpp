// MatMul: the engine chooses the order of the sums.
#include "graph/ops/matmul/matmul.h"

#include <numeric>

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void matmul(const OnnxNode& out) {
  std::string b = out.x(1);
  if (out.node.as<graph::Matmul>().transpose_b) {
    std::vector<std::int64_t> axes(out.inputs[1].shape.size());
    std::iota(axes.begin(), axes.end(), 0);
    std::swap(axes.back(), axes[axes.size() - 2]);
    b = out.onnx.add("Transpose", {b}, "transposed");
    out.onnx.set("perm", axes);
  }
  out.onnx.add("MatMul", {out.x(), b}, "product");
}

}  // namespace samebits::onnx_forms
