#include "graph/ops/lookup/quantized_embedding.h"

#include "graph/ops/layers/quantized_layer.h"
#include "graph/ops/lookup/index.h"

namespace samebits::graph::ops {
namespace {

TensorType infer(const Node& node, const QuantizedEmbedding& embedding, Types inputs) {
  check_table(node, embedding.weight, 2, "[rows, columns]");
  check_index(node, inputs[0]);
  TensorType y{Dtype::kFloat32, inputs[0].shape};
  y.shape.emplace_back(embedding.weight.shape[1]);
  return y;
}

}  // namespace

const Operator& quantized_embedding() {
  static const Operator kOperator = define<QuantizedEmbedding, infer>({});
  return kOperator;
}

}  // namespace samebits::graph::ops
