#include "planner/architectures.h"

#include <array>

namespace samebits::planner {
namespace {

/// Encoder of post-norm blocks with biases, three embeddings, their norm, and a pooler.
Architecture bert(std::int64_t layers, std::int64_t width, std::int64_t hidden, std::int64_t vocabulary) {
  constexpr std::int64_t kPositions = 512, kSegments = 2;
  return {.name = "BERT-base",
          .weights = {{1, vocabulary, width},
                      {1, kPositions, width},
                      {1, kSegments, width},
                      {4 * layers, width, width},
                      {layers, hidden, width},
                      {layers, width, hidden},
                      {1, width, width}},
          .vectors = 2 * width + layers * (4 * width + hidden + width + 2 * 2 * width) + width,
          .source = "Devlin et al. 2018, arXiv:1810.04805"};
}

/// Decoder of pre-norm blocks with biases; the output shares the embedding.
Architecture gpt2(std::int64_t layers, std::int64_t width, std::int64_t vocabulary) {
  constexpr std::int64_t kPositions = 1024;
  return {.name = "GPT-2 XL",
          .weights = {{1, vocabulary, width},
                      {1, kPositions, width},
                      {layers, 3 * width, width},
                      {layers, width, width},
                      {layers, 4 * width, width},
                      {layers, width, 4 * width}},
          .vectors = layers * (3 * width + width + 4 * width + width + 2 * 2 * width) + 2 * width,
          .source = "Radford et al. 2019, Language Models are Unsupervised Multitask Learners"};
}

struct LlamaShape {
  std::string_view name;
  std::int64_t layers, width, hidden, key_value_width;
};

/// Decoder of gated blocks without biases; embedding and output are two weights.
Architecture llama(const LlamaShape& s) {
  constexpr std::int64_t kVocabulary = 32000;
  return {.name = s.name,
          .weights = {{2, kVocabulary, s.width},
                      {2 * s.layers, s.width, s.width},
                      {2 * s.layers, s.key_value_width, s.width},
                      {2 * s.layers, s.hidden, s.width},
                      {s.layers, s.width, s.hidden}},
          .vectors = (2 * s.layers + 1) * s.width,
          .source = "Touvron et al. 2023, arXiv:2307.09288"};
}

}  // namespace

std::int64_t Architecture::parameters() const {
  std::int64_t count = vectors;
  for (const RepeatedWeight& each : weights) count += each.count * each.out * each.in;
  return count;
}

std::span<const Architecture> architectures() {
  static const std::array<Architecture, 5> kArchitectures = {
      bert(12, 768, 3072, 30522), gpt2(48, 1600, 50257), llama({"Llama 2 7B", 32, 4096, 11008, 4096}),
      llama({"Llama 2 13B", 40, 5120, 13824, 5120}), llama({"Llama 2 70B", 80, 8192, 28672, 1024})};
  return kArchitectures;
}

std::int64_t model_bytes(const Architecture& model, int bits, std::int64_t group_size) {
  std::int64_t bytes = model.vectors * static_cast<std::int64_t>(sizeof(float));
  for (const RepeatedWeight& each : model.weights) {
    const LayerShape shape{.path = "", .out = each.out, .row_length = each.in};
    bytes += each.count * weight_bytes(shape, bits, group_size, package_storage());
  }
  return bytes;
}

}  // namespace samebits::planner
