// The rows of theme normalize: the oracles are those of tests/function_oracle.h.
#pragma once

#include "graph/ops/normalize/batch_norm.h"
#include "graph/ops/normalize/group_norm.h"
#include "graph/ops/normalize/layer_norm.h"
#include "graph/ops/normalize/log_softmax.h"
#include "graph/ops/normalize/rms_norm.h"
#include "graph/ops/normalize/softmax.h"
#include "tests/function_oracle.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

/// Sizes in front of, within and behind dimensions [first, last].
struct Split {
  std::int64_t outer = 1, n = 1, inner = 1;
  Split(const graph::Sizes& sizes, std::int64_t first, std::int64_t last) {
    for (std::int64_t dim = 0; dim < static_cast<std::int64_t>(sizes.size()); ++dim)
      (dim < first ? outer : dim <= last ? n : inner) *= sizes[dim];
  }
};

inline FloatTensor softmax_along(const FloatTensor& x, std::int64_t dim, bool is_log) {
  const Split split(x.shape, dim, dim);
  return {x.shape, for_rows(x.values, split.n, split.inner,
                            [&](const std::vector<float>& row) { return softmax_of(row, is_log); })};
}
inline FloatTensor run_softmax(const Node& node, const Tensors& inputs) {
  return softmax_along(inputs[0], node.as<graph::Softmax>().dim, false);
}
inline FloatTensor run_log_softmax(const Node& node, const Tensors& inputs) {
  return softmax_along(inputs[0], node.as<graph::LogSoftmax>().dim, true);
}

inline FloatTensor norm_of_last(const FloatTensor& x, std::int64_t dims, float eps, bool is_rms,
                                const std::vector<float>& weight, const std::vector<float>& bias) {
  const auto rank = static_cast<std::int64_t>(x.shape.size());
  return {x.shape,
          for_rows(x.values, Split(x.shape, rank - dims, rank - 1).n, 1, [&](const std::vector<float>& row) {
            return normalized(row, eps, is_rms, weight, bias).y;
          })};
}
inline FloatTensor run_layer_norm(const Node& node, const Tensors& inputs) {
  const auto& norm = node.as<graph::LayerNorm>();
  return norm_of_last(inputs[0], norm.dims, norm.eps, false, norm.weight, norm.bias);
}
inline FloatTensor run_rms_norm(const Node& node, const Tensors& inputs) {
  const auto& norm = node.as<graph::RmsNorm>();
  return norm_of_last(inputs[0], norm.dims, norm.eps, true, norm.weight, {});
}

/// The values of channels [first, first + count), one a pixel; empty where there are none.
inline std::vector<float> per_pixel(const std::vector<float>& values, std::int64_t first, std::int64_t count,
                                    std::int64_t pixels) {
  std::vector<float> result;
  for (std::int64_t c = first; c < first + count && !values.empty(); ++c)
    result.insert(result.end(), static_cast<std::size_t>(pixels), values[c]);
  return result;
}
inline FloatTensor run_group_norm(const Node& node, const Tensors& inputs) {
  const auto& norm = node.as<graph::GroupNorm>();
  const Split split(inputs[0].shape, 1, 1);
  const std::int64_t channels = split.n / norm.groups, size = channels * split.inner;
  FloatTensor y{inputs[0].shape, {}};
  for (std::int64_t group = 0; group < split.outer * norm.groups; ++group) {
    const auto begin = inputs[0].values.begin() + group * size;
    const std::int64_t first = group % norm.groups * channels;
    const Normalized of_group = normalized({begin, begin + size}, norm.eps, false,
                                           per_pixel(norm.weight, first, channels, split.inner),
                                           per_pixel(norm.bias, first, channels, split.inner));
    y.values.insert(y.values.end(), of_group.y.begin(), of_group.y.end());
  }
  return y;
}
inline FloatTensor run_batch_norm(const Node& node, const Tensors& inputs) {
  const auto& norm = node.as<graph::BatchNorm>();
  const Split split(inputs[0].shape, 1, 1);
  FloatTensor y = inputs[0];
  for (std::size_t i = 0; i < y.values.size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(split.inner) % norm.scale.size();
    y.values[i] = one_nan(add(multiply(y.values[i], norm.scale[c]), norm.bias[c]));
  }
  return y;
}

}  // namespace samebits::oracle

namespace samebits::graph {

inline std::vector<OpRow> normalize_rows() {
  static std::mt19937 random(6);
  const auto floats = [](std::int64_t n) { return random_floats(n, random); };
  return {
      {"softmax",
       oracle::run_softmax,
       false,
       {{"vectors", Softmax{1}, {{37}}},
        {"the last dimension", Softmax{3}, {{2, 3, 70}}},
        {"channels", Softmax{1}, {{10, 3, 5}}}}},
      {"log_softmax",
       oracle::run_log_softmax,
       false,
       {{"vectors", LogSoftmax{1}, {{37}}}, {"a dimension between", LogSoftmax{2}, {{2, 65, 3}}}}},
      {"layer_norm",
       oracle::run_layer_norm,
       false,
       {{"weight and bias", LayerNorm{1, 1e-5f, floats(37), floats(37)}, {{4, 37}}},
        {"weight", LayerNorm{1, 1e-3f, floats(64), {}}, {{64}}},
        {"neither, of two dimensions", LayerNorm{2, 1e-5f, {}, {}}, {{2, 3, 5}}},
        {"bias", LayerNorm{2, 1e-5f, {}, floats(15)}, {{2, 3, 5}}}}},
      {"rms_norm",
       oracle::run_rms_norm,
       false,
       {{"weight", RmsNorm{1, 1e-6f, floats(70)}, {{4, 70}}},
        {"no weight", RmsNorm{2, 1e-5f, {}}, {{2, 3, 5}}}}},
      {"group_norm",
       oracle::run_group_norm,
       false,
       {{"groups of images", GroupNorm{3, 1e-5f, floats(6), floats(6)}, {{6, 4, 5}}},
        {"one group, no weight", GroupNorm{1, 1e-5f, {}, {}}, {{4, 9}}},
        {"a channel each", GroupNorm{4, 1e-5f, floats(4), floats(4)}, {{4, 3, 3}}}}},
      {"batch_norm",
       oracle::run_batch_norm,
       true,
       {{"images", BatchNorm{floats(6), floats(6)}, {{6, 4, 5}}},
        {"vectors", BatchNorm{floats(37), floats(37)}, {{37}}}}},
  };
}

}  // namespace samebits::graph
