#include "graph/ops/matmul/matmul.h"

#include "graph/ops/arithmetic/broadcast.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Matmul& matmul, Types inputs) {
  for (const TensorType& input : inputs) {
    check_float(node, input);
    check_max_rank(node, input.shape);
    if (input.shape.size() < 2)
      fail_node(node, "expected inputs of two dimensions or more, got ", to_text(input.shape));
  }
  std::array batches = {inputs[0], inputs[1]};
  for (TensorType& batch : batches) batch.shape.resize(batch.shape.size() - 2);
  const Shape &a = inputs[0].shape, &b = inputs[1].shape;
  const Dimension &rows = b[b.size() - 2], &columns = b.back();
  if (a.back() != (matmul.transpose_b ? columns : rows))
    fail_node(node, "expected inputs of [..., m, k] and ", matmul.transpose_b ? "[..., n, k]" : "[..., k, n]",
              ", got ", to_text(a), " and ", to_text(b));
  TensorType y{Dtype::kFloat32, broadcast_shape(node, batches)};
  y.shape.push_back(a[a.size() - 2]);
  y.shape.push_back(matmul.transpose_b ? rows : columns);
  return y;
}

}  // namespace

const Operator& matmul() {
  static const Operator kOperator = define<Matmul, infer>({.inputs = 2, .is_engines_own = true});
  return kOperator;
}

}  // namespace samebits::graph::ops
