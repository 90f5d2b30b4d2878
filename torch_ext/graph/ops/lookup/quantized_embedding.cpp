#include "graph/ops/lookup/quantized_embedding.h"

#include "csrc/quantize/quantized_embedding.h"
#include "quant/encode.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const torch::Tensor table = walk.tensor(node, 0, "the table").to(torch::kCPU).contiguous();
  const auto bits = walk.constant<std::int64_t>(node, 2, "bits");
  walk.add(graph::QuantizedEmbedding{quant::encode(table.const_data_ptr<float>(), table.sizes().vec(),
                                                   ops::embedding_encoding(bits))},
           {node->input(1)}, node->output(0));
}

}  // namespace

const TraceReader& quantized_embedding() {
  static const TraceReader kReader{.kinds = {"samebits::quantized_embedding"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
