// The rows of theme reduce: the oracles are those of tests/function_oracle.h.
#pragma once

#include "graph/ops/reduce/adaptive_avg_pool2d.h"
#include "graph/ops/reduce/amax.h"
#include "graph/ops/reduce/mean.h"
#include "graph/ops/reduce/sum.h"
#include "tests/graph/cases/normalize.h"

namespace samebits::oracle {

template <class A, float (*kOfRow)(const std::vector<float>&)>
FloatTensor run_reduced(const Node& node, const Tensors& inputs) {
  const auto& reduced = node.as<A>();
  const graph::Sizes& sizes = inputs[0].shape;
  const Split split(sizes, reduced.first_dim, reduced.last_dim);
  FloatTensor y{{}, for_rows(inputs[0].values, split.n, split.inner, [](const std::vector<float>& row) {
                  return std::vector<float>{one_nan(kOfRow(row))};
                })};
  for (std::int64_t dim = 0; dim < static_cast<std::int64_t>(sizes.size()); ++dim) {
    const bool is_reduced = reduced.first_dim <= dim && dim <= reduced.last_dim;
    if (!is_reduced || reduced.keepdim) y.shape.push_back(is_reduced ? 1 : sizes[dim]);
  }
  return y;
}

inline float row_total(const std::vector<float>& row) {
  return row_sum(row);
}

inline FloatTensor run_adaptive_avg_pool2d(const Node& node, const Tensors& inputs) {
  const auto& pool = node.as<graph::AdaptiveAvgPool2d>();
  const FloatTensor& x = inputs[0];
  const std::int64_t height = x.shape[2], width = x.shape[3];
  FloatTensor y{{x.shape[0], x.shape[1], pool.output_size[0], pool.output_size[1]}, {}};
  // Window i of o over n elements has those that overlap [i n / o, (i + 1) n / o).
  const auto overlaps = [](std::int64_t i, std::int64_t o, std::int64_t element, std::int64_t n) {
    return i * n < (element + 1) * o && element * o < (i + 1) * n;
  };
  for (std::int64_t plane = 0; plane < x.shape[0] * x.shape[1]; ++plane)
    for (std::int64_t i = 0; i < pool.output_size[0]; ++i)
      for (std::int64_t j = 0; j < pool.output_size[1]; ++j) {
        std::vector<float> window;
        for (std::int64_t place = 0; place < height * width; ++place)
          if (overlaps(i, pool.output_size[0], place / width, height) &&
              overlaps(j, pool.output_size[1], place % width, width))
            window.push_back(x.values[plane * height * width + place]);
        y.values.push_back(row_mean(window));
      }
  return y;
}

}  // namespace samebits::oracle

namespace samebits::graph {

template <class A>
A reduced(std::int64_t first_dim, std::int64_t last_dim, bool keepdim) {
  A attributes;
  attributes.first_dim = first_dim;
  attributes.last_dim = last_dim;
  attributes.keepdim = keepdim;
  return attributes;
}

template <class A>
OpRow reduced_row(oracle::FloatTensor (*run)(const Node&, const oracle::Tensors&), bool is_exact_in_onnx) {
  return {A::kName,
          run,
          is_exact_in_onnx,
          {{"pixels", reduced<A>(2, 3, false), {{3, 7, 9}}},
           {"pixels, kept", reduced<A>(2, 3, true), {{3, 7, 9}}},
           {"the last", reduced<A>(2, 2, false), {{5, 130}}},
           {"a sequence", reduced<A>(1, 1, false), {{70, 6}}},
           {"a dimension between, kept", reduced<A>(2, 2, true), {{2, 65, 3}}}}};
}

inline std::vector<OpRow> reduce_rows() {
  return {
      reduced_row<Mean>(oracle::run_reduced<Mean, oracle::row_mean>, false),
      reduced_row<Sum>(oracle::run_reduced<Sum, oracle::row_total>, false),
      reduced_row<Amax>(oracle::run_reduced<Amax, oracle::row_max>, true),
      {"adaptive_avg_pool2d",
       oracle::run_adaptive_avg_pool2d,
       false,
       {{"global", AdaptiveAvgPool2d{}, {{3, 7, 9}}},
        {"windows side by side", AdaptiveAvgPool2d{{2, 3}}, {{3, 8, 9}}},
        {"windows that overlap", AdaptiveAvgPool2d{{3, 4}}, {{2, 7, 9}}},
        {"more windows than elements", AdaptiveAvgPool2d{{5, 1}}, {{2, 3, 4}}}}},
  };
}

}  // namespace samebits::graph
