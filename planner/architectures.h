// The layer shapes of well-known language models, for telling what their weights take at b bits before
// anything is downloaded.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "planner/layer_cost.h"

namespace samebits::planner {

/// Weights of one shape [out, in], `count` times in a model. An embedding is a weight of vocabulary rows.
struct RepeatedWeight {
  std::int64_t count, out, in;
};

struct Architecture {
  std::string_view name;
  std::vector<RepeatedWeight> weights;
  std::int64_t vectors = 0;  // biases, norms: elements that stay float
  std::string_view source;   // where the shapes are published

  std::int64_t parameters() const;
};

/// BERT-base, GPT-2 XL, Llama 2 7B, 13B and 70B.
std::span<const Architecture> architectures();

/// Bytes of all parameters: every weight as weight_bytes() of a package has it, vectors as float32.
std::int64_t model_bytes(const Architecture& model, int bits, std::int64_t group_size);

}  // namespace samebits::planner
