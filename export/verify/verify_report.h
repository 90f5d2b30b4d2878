// What a comparison of an exported file with the training forward found, bit by bit. Torch-free.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/types.h"

namespace samebits {

struct VerifyReport {
  std::filesystem::path file;
  std::int64_t images = 0;
  std::int64_t logits = 0;
  std::int64_t differing = 0;        // logits whose bits differ, where the file promises them
  std::int64_t differing_float = 0;  // of an ONNX file: logits that differ only since the engine computes
                                     // float layers in an order of its own; where integer layers are fed what
                                     // they promise to take, `differing` tells what they give
  std::int64_t other_decisions = 0;  // images whose largest logit is another
  float largest_difference = 0;      // of two finite logits
  bool promises_bits = true;         // false: a QDQ file; all of its differences are differing_float
  std::int64_t codes = 0, differing_codes = 0;  // of a QDQ file: inputs of integer layers
  std::int64_t largest_code_difference = 0;
  std::string first_difference;  // "image 3, logit 7: expected …, got …; node 2 (conv2) …"; empty: none

  /// "net.onnx: 0 of 100,000 logits differ", or where the first one is; of a QDQ file by how much and what
  /// became of codes and decisions.
  std::string text() const;
};

/// Values with their shape, which are somewhere else.
struct FloatsView {
  const graph::Sizes& shape;
  std::span<const float> values;
};

/// Elements whose bits differ, and the index of the first.
struct Differences {
  std::int64_t count = 0, first = -1;
};
/// Of as many elements each.
Differences differences(std::span<const float> expected, std::span<const float> got);

/// Adds one batch. Throws std::runtime_error that names the file when the shapes differ.
void add_batch(const FloatsView& expected, const FloatsView& got, VerifyReport& report);

/// Counts the codes of a layer's input that a QDQ file gives another code. Of as many elements each.
void add_codes(std::span<const std::int32_t> expected, std::span<const std::int32_t> got,
               VerifyReport& report);

/// Finds the first node whose output is not what it should be. Nodes that nothing is expected of are passed
/// over.
class NodeComparison {
 public:
  /// `expected`: values by the node's name.
  explicit NodeComparison(std::map<std::string, graph::FloatTensor> expected)
      : expected_(std::move(expected)) {}
  /// To be told every node in order.
  void see(const std::string& node, const FloatsView& got);
  /// "; node 2 (conv2) is the first to differ, in 3 of 10 elements"; empty: none did.
  const std::string& text() const { return text_; }

 private:
  std::map<std::string, graph::FloatTensor> expected_;
  std::size_t seen_ = 0;
  std::string text_;
};

}  // namespace samebits
