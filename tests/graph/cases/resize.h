// Cases of graph/ops/resize/.
#pragma once

#include <cmath>

#include "graph/ops/resize/upsample_bilinear2d.h"
#include "graph/ops/resize/upsample_nearest2d.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

inline FloatTensor run_upsample_nearest2d(const Node& node, const Tensors& inputs) {
  const auto& upsample = node.as<graph::UpsampleNearest2d>();
  const auto& x = inputs[0];
  const auto source = [](std::int64_t i, float step, std::int64_t size) {
    const auto place = static_cast<std::int64_t>(std::floor(multiply(to_float(i), step)));
    return place < size ? place : size - 1;
  };
  return tensor_of({x.shape[0], x.shape[1], upsample.size[0], upsample.size[1]},
                   [&](std::vector<std::int64_t> places) {
                     places[2] = source(places[2], upsample.step_height, x.shape[2]);
                     places[3] = source(places[3], upsample.step_width, x.shape[3]);
                     return at(x, places);
                   });
}

/// The position between elements of x, and how much of the next one is taken.
struct Between {
  std::int64_t low, high;
  float weight;
};
inline Between between(std::int64_t i, float step, bool align_corners, std::int64_t size) {
  float position =
      align_corners ? multiply(step, to_float(i)) : add(multiply(step, add(to_float(i), 0.5f)), -0.5f);
  if (position < 0) position = 0;
  const std::int64_t low = position < to_float(size - 1) ? static_cast<std::int64_t>(position) : size - 1;
  const float weight = add(position, -to_float(low));
  return {low, low + 1 < size ? low + 1 : low, weight > 1 ? 1 : weight};
}
inline float mixed(float low, float high, float weight) {
  return add(multiply(low, add(1.0f, -weight)), multiply(high, weight));
}

inline FloatTensor run_upsample_bilinear2d(const Node& node, const Tensors& inputs) {
  const auto& upsample = node.as<graph::UpsampleBilinear2d>();
  const auto& x = inputs[0];
  return tensor_of(
      {x.shape[0], x.shape[1], upsample.size[0], upsample.size[1]},
      [&](const std::vector<std::int64_t>& places) {
        const Between row = between(places[2], upsample.step_height, upsample.align_corners, x.shape[2]),
                      column = between(places[3], upsample.step_width, upsample.align_corners, x.shape[3]);
        const auto in_row = [&](std::int64_t from) {
          return mixed(at(x, {places[0], places[1], from, column.low}),
                       at(x, {places[0], places[1], from, column.high}), column.weight);
        };
        return mixed(in_row(row.low), in_row(row.high), row.weight);
      });
}

}  // namespace samebits::oracle

namespace samebits::graph {

/// {out, step} of an axis of four elements.
template <class A>
std::vector<OpCase> upsample_cases() {
  std::vector<OpCase> cases;
  for (const auto& [size, height, width] : {std::tuple{Pair{8, 10}, 0.5f, 0.5f},
                                            {Pair{4, 5}, 1.0f, 1.0f},
                                            {Pair{7, 13}, 4.0f / 7, 5.0f / 13},
                                            {Pair{3, 2}, 4.0f / 3, 2.5f},
                                            {Pair{1, 1}, 4.0f, 5.0f},
                                            {Pair{10, 12}, 1 / 2.6f, 1 / 2.4f}}) {
    A upsample{.size = size, .step_height = height, .step_width = width};
    cases.push_back({"to " + io::to_text({size[0], size[1]}), upsample, {{3, 4, 5}}});
  }
  if constexpr (std::is_same_v<A, UpsampleBilinear2d>)
    for (const auto& [size, height, width] :
         {std::tuple{Pair{8, 10}, 3.0f / 7, 4.0f / 9}, {Pair{2, 1}, 3.0f, 0.0f}, {Pair{4, 5}, 1.0f, 1.0f}})
      cases.push_back(
          {"corners of " + io::to_text({size[0], size[1]}), A{size, height, width, true}, {{2, 4, 5}}});
  return cases;
}

inline std::vector<OpRow> resize_rows() {
  return {
      {"upsample_nearest2d", oracle::run_upsample_nearest2d, true, upsample_cases<UpsampleNearest2d>()},
      {"upsample_bilinear2d", oracle::run_upsample_bilinear2d, true, upsample_cases<UpsampleBilinear2d>()}};
}

}  // namespace samebits::graph
