#include "export/onnx/tensorrt_rules.h"

#include <algorithm>
#include <cmath>

#include "export/onnx/qdq_layer.h"
#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/linear.h"
#include "io/error.h"

namespace samebits {
namespace {

/// What QDQ makes of a layer, held to the rules.
class Rules {
 public:
  Rules(const graph::Node& node, std::vector<TensorrtFinding>& findings) : node_(node), findings_(findings) {}

  template <class Layer>
  void hold(const Layer& layer) {
    const QdqWeight weight = qdq_weight(layer.weight, layer.channel_scale, OnnxStyle::kTensorrt);
    symmetric_input(layer.input_grid);
    symmetric_weight(layer.weight, weight);
    positive_scale(weight);
    whole_blocks(layer.weight);
  }

 private:
  template <class... Parts>
  void find(const char* rule, const Parts&... parts) {
    findings_.push_back({node_.name, rule, io::join(parts...)});
  }

  void symmetric_input(const kernels::AffineGrid& grid) {
    if (grid.zero_point != 0)
      find("symmetric_input", "expected input zero point 0, got ", grid.zero_point,
           "; set activation: {symmetric: true}");
  }

  void symmetric_weight(const quant::QuantizedTensor& tensor, const QdqWeight& weight) {
    const auto other = std::ranges::find_if(weight.zero_point, [](std::int32_t each) { return each != 0; });
    if (other == weight.zero_point.end()) return;
    if (tensor.encoding.symmetric)
      find("symmetric_weight", "expected no code ", tensor.encoding.qmin,
           " in channels of a negative factor, got one; set weight: {bits: 8, symmetric: true}");
    else
      find("symmetric_weight", "expected weight zero points 0, got ", *other,
           "; set weight: {symmetric: true}");
  }

  void positive_scale(const QdqWeight& weight) {
    const auto least = std::ranges::min_element(weight.scale);
    if (!(*least > 0.0f))
      find("positive_scale", "expected weight scales above 0, got ", *least,
           "; a batch norm has a channel of factor 0: leave the layer in float");
  }

  void whole_blocks(const quant::QuantizedTensor& tensor) {
    const quant::Encoding& encoding = tensor.encoding;
    if (encoding.granularity == quant::Granularity::kPerGroup &&
        tensor.row_length() % encoding.group_size != 0)
      find("whole_blocks", "expected in_features of whole groups of ", encoding.group_size, ", got ",
           tensor.row_length(), "; set weight: {group_size: …} to a divisor, or leave it out");
  }

  const graph::Node& node_;
  std::vector<TensorrtFinding>& findings_;
};

}  // namespace

std::vector<TensorrtFinding> tensorrt_findings(const graph::Graph& graph) {
  std::vector<TensorrtFinding> findings;
  for (const graph::Node& node : graph.nodes) {
    Rules rules(node, findings);
    if (graph::is_a<graph::Linear>(node)) rules.hold(node.as<graph::Linear>());
    if (graph::is_a<graph::Conv2d>(node)) rules.hold(node.as<graph::Conv2d>());
  }
  return findings;
}

std::string to_text(const TensorrtFinding& finding) {
  return finding.node + ": " + finding.rule + ": " + finding.text;
}

}  // namespace samebits
