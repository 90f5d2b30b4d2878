// QConfig::embedding_bits: embeddings of a captured graph train on the codes that ship, and ship them.
#include "graph/ops/lookup/embedding.h"
#include "graph/operator.h"
#include "graph/ops/lookup/quantized_embedding.h"
#include "quant/encode.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/capture.h"
#include "torch_ext/convert.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;
namespace nn = torch::nn;

class EmbeddingBits : public ModelTest {};

/// Bags of tokens; the output layer of `is_tied` has the table for its weight.
struct Bag : nn::Module {
  nn::Embedding words{nn::EmbeddingOptions(40, 16).padding_idx(0)};
  nn::Linear hidden{16, 16}, out{16, 40};
  explicit Bag(bool is_tied = false) {
    register_module("words", words);
    register_module("hidden", hidden);
    register_module("out", out);
    if (is_tied) out->weight = words->weight;
  }
  Tensor forward(const Tensor& ids) { return out(torch::relu(hidden(words(ids).mean(1)))); }
};

Tensor tokens(std::int64_t n) {
  return torch::randint(40, {n, 7}, torch::kLong);
}

QConfig config_of(int bits) {
  QConfig config;
  config.embedding_bits = bits;
  return config;
}

/// Prepared, trained for some steps on integers, and frozen.
GraphModule trained(Bag& net, const QConfig& config) {
  GraphModule graph = capture(net, tokens(3));
  Prepared prepared = prepare(graph, config, Tensors{tokens(3)}, {.observe_steps = 2});
  torch::optim::SGD optimizer(graph->parameters(), 0.05);
  graph->train();
  for (int i = 0; i < 6; ++i) {
    optimizer.zero_grad();
    graph->forward(tokens(8)).square().mean().backward();
    optimizer.step();
  }
  prepared.freeze();
  graph->eval();
  return graph;
}

TEST_F(EmbeddingBits, ShipTheCodesThatTheForwardComputesWith) {
  for (const int bits : {8, 4, 3})
    for (const bool is_tied : {false, true}) {
      Bag net(is_tied);
      GraphModule graph = trained(net, config_of(bits));
      const QuantizedModel quantized = convert(graph, Tensors{tokens(3)});
      quantized.save(folder_ / "bag.samebits");
      const VerifyReport report = verify(graph, folder_ / "bag.samebits", {Tensors{tokens(9)}, {tokens(1)}});
      EXPECT_EQ(report.text(), "bag.samebits: 0 of 400 logits differ (10 images)") << bits;
      const graph::Node& node = quantized.graph().nodes.front();
      const quant::QuantizedTensor& weight = node.as<graph::QuantizedEmbedding>().weight;
      const Tensor table = net.words->weight.detach().contiguous();
      EXPECT_EQ(weight, quant::encode(table.const_data_ptr<float>(), {40, 16}, weight.encoding));
      EXPECT_EQ(weight.encoding.bits, bits);
    }
}

TEST_F(EmbeddingBits, TrainTheTableButForItsPadding) {
  Bag net;
  const Tensor before = net.words->weight.detach().clone();
  trained(net, config_of(4));
  const Tensor moved = (net.words->weight != before).any(1);
  EXPECT_FALSE(moved[0].item<bool>());
  EXPECT_GT(moved.sum().item<std::int64_t>(), 30);
}

TEST_F(EmbeddingBits, StandInTheReportOfPrepare) {
  Bag net;
  GraphModule graph = capture(net, tokens(3));
  EXPECT_EQ(prepare(graph, config_of(4), Tensors{tokens(3)}).report(),
            "layer   kind       weight            input        result\n"
            "hidden  linear     int8 per channel  int8 affine  converted\n"
            "out     linear     int8 per channel  int8 affine  converted\n"
            "words   embedding  int4 per row                   converted\n");
}

TEST_F(EmbeddingBits, LeaveFloatsWhereTheConfigurationSkipsOrSaysNothing) {
  QConfig skips = config_of(8);
  skips.layers.emplace_back("words", LayerConfig{.skip = true});
  for (const QConfig& config : {QConfig(), skips}) {
    Bag net;
    GraphModule graph = trained(net, config);
    const QuantizedModel quantized = convert(graph, Tensors{tokens(3)});
    EXPECT_STREQ(quantized.graph().nodes.front().op->name, "embedding");
  }
}

TEST_F(EmbeddingBits, AreTwoToEight) {
  Bag net;
  GraphModule graph = capture(net, tokens(3));
  for (const int bits : {1, 9, -1}) {
    try {
      prepare(graph, config_of(bits), Tensors{tokens(3)});
      FAIL() << "expected an error";
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(error.what(),
                "[qconfig] embedding_bits: expected an integer in 2..8, or 0 for rows of floats, got " +
                    std::to_string(bits));
    }
  }
}

}  // namespace
}  // namespace samebits
