#include "graph/ops/lookup/embedding.h"

#include "graph/ops/layers/quantized_layer.h"
#include "graph/ops/lookup/index.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const Embedding& embedding, Types inputs) {
  static const std::vector<float> kNone;
  check_float_layer(node, embedding.weight, {kNone, kNone}, 2, "[rows, columns]");
  check_index(node, inputs[0]);
  TensorType y{Dtype::kFloat32, inputs[0].shape};
  y.shape.emplace_back(embedding.weight.shape[1]);
  return y;
}

}  // namespace

const Operator& embedding() {
  static const Operator kOperator = define<Embedding, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
