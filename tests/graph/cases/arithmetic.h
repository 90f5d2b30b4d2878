// Cases of graph/ops/arithmetic/ and of add.
#pragma once

#include <cmath>

#include "graph/ops/arithmetic/abs.h"
#include "graph/ops/arithmetic/div.h"
#include "graph/ops/arithmetic/maximum.h"
#include "graph/ops/arithmetic/minimum.h"
#include "graph/ops/arithmetic/mul.h"
#include "graph/ops/arithmetic/neg.h"
#include "graph/ops/arithmetic/sub.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

/// The shape to which shapes broadcast.
inline graph::Sizes broadcast_sizes(const Tensors& inputs) {
  graph::Sizes sizes;
  for (const FloatTensor& input : inputs) {
    if (input.shape.size() > sizes.size()) sizes.insert(sizes.begin(), input.shape.size() - sizes.size(), 1);
    for (std::size_t back = 1; back <= input.shape.size(); ++back)
      if (const std::int64_t size = input.shape[input.shape.size() - back]; size != 1)
        sizes[sizes.size() - back] = size;
  }
  return sizes;
}

template <float (*kResult)(float, float)>
FloatTensor run_binary(const Node&, const Tensors& inputs) {
  return tensor_of(broadcast_sizes(inputs),
                   [&](const auto& places) { return kResult(at(inputs[0], places), at(inputs[1], places)); });
}
template <float (*kResult)(float)>
FloatTensor run_unary(const Node&, const Tensors& inputs) {
  FloatTensor y = inputs[0];
  for (float& value : y.values) value = kResult(value);
  return y;
}

inline float subtract(float a, float b) {
  return add(a, -b);
}
inline float smaller(float a, float b) {
  return b < a ? b : a;
}
inline float larger(float a, float b) {
  return a < b ? b : a;
}
inline float negative(float a) {
  return std::copysign(a, std::signbit(a) ? 1.0f : -1.0f);
}
inline float without_sign(float a) {
  return std::copysign(a, 1.0f);
}

}  // namespace samebits::oracle

namespace samebits::graph {

template <class A>
std::vector<OpCase> broadcast_cases() {
  const InputKind integers{Dtype::kInt64, 100}, number{.shape = {1}};
  std::vector<OpCase> cases = {
      {"images", A{}, {{2, 3, 5}, {2, 3, 5}}},
      {"many", A{}, {{150, 300}, {150, 300}}},
      {"a number for each channel", A{}, {{3, 4, 5}, {3, 1, 1}}},
      {"a number for each pixel", A{}, {{3, 1, 1}, {1, 4, 5}}},
      {"a row and a column", A{}, {{1, 7}, {6, 1}}},
      {"every other dimension", A{}, {{2, 1, 3, 1, 2}, {1, 4, 1, 5, 1}}},
      {"no batch", A{}, {{3, 40}, {}}, {{}, {.shape = {40}}}},
      {"no batch, in front", A{}, {{}, {3, 40}}, {{.shape = {3, 1}}, {}}},
      {"one number", A{}, {{29}, {}}, {{}, number}},
      {"one number, in front", A{}, {{}, {29}}, {number, {}}},
      {"a number an item", A{}, {{1, 1}, {3, 4}}},
  };
  if constexpr (std::is_same_v<A, Add> || std::is_same_v<A, Sub> || std::is_same_v<A, Mul>)
    cases.push_back({"integers", A{}, {{3, 1}, {1, 4}}, {integers, integers}});
  return cases;
}

inline std::vector<OpRow> arithmetic_rows() {
  return {
      {"add", oracle::run_binary<oracle::add>, true, broadcast_cases<Add>()},
      {"sub", oracle::run_binary<oracle::subtract>, true, broadcast_cases<Sub>()},
      {"mul", oracle::run_binary<oracle::multiply>, true, broadcast_cases<Mul>()},
      {"div", oracle::run_binary<oracle::divide>, true, broadcast_cases<Div>()},
      {"minimum", oracle::run_binary<oracle::smaller>, true, broadcast_cases<Minimum>()},
      {"maximum", oracle::run_binary<oracle::larger>, true, broadcast_cases<Maximum>()},
      {"neg",
       oracle::run_unary<oracle::negative>,
       true,
       {{"vectors", Neg{}, {{37}}}, {"images", Neg{}, {{2, 3, 5}}}}},
      {"abs",
       oracle::run_unary<oracle::without_sign>,
       true,
       {{"vectors", Abs{}, {{37}}}, {"images", Abs{}, {{2, 3, 5}}}}},
  };
}

}  // namespace samebits::graph
