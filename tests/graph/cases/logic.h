// Cases of graph/ops/logic/. The oracle has integers and bools as floats.
#pragma once

#include "graph/ops/logic/cast.h"
#include "graph/ops/logic/compare.h"
#include "graph/ops/logic/logical.h"
#include "graph/ops/logic/where.h"
#include "tests/graph/cases/arithmetic.h"

namespace samebits::oracle {

inline FloatTensor run_compare(const Node& node, const Tensors& inputs) {
  const graph::Comparison kind = node.as<graph::Compare>().kind;
  return tensor_of(broadcast_sizes(inputs), [&](const auto& places) {
    const float a = at(inputs[0], places), b = at(inputs[1], places);
    switch (kind) {
      case graph::Comparison::kEqual:
        return float(a == b);
      case graph::Comparison::kNotEqual:
        return float(a < b || a > b);
      case graph::Comparison::kLess:
        return float(b > a);
      case graph::Comparison::kLessOrEqual:
        return float(!(a > b));
      case graph::Comparison::kGreater:
        return float(b < a);
      case graph::Comparison::kGreaterOrEqual:
        return float(!(a < b));
    }
    return -1.0f;
  });
}

inline FloatTensor run_logical(const Node& node, const Tensors& inputs) {
  const graph::LogicalKind kind = node.as<graph::Logical>().kind;
  return tensor_of(broadcast_sizes(inputs), [&](const auto& places) {
    const float sum = at(inputs[0], places) + at(inputs[1], places);  // how many are true
    return float(kind == graph::LogicalKind::kAnd  ? sum == 2
                 : kind == graph::LogicalKind::kOr ? sum >= 1
                                                   : sum == 1);
  });
}

inline FloatTensor run_where(const Node&, const Tensors& inputs) {
  return tensor_of(broadcast_sizes(inputs), [&](const auto& places) {
    return at(inputs[at(inputs[0], places) == 1 ? 1 : 2], places);
  });
}

inline FloatTensor run_cast(const Node& node, const Tensors& inputs) {
  FloatTensor y = inputs[0];
  if (node.as<graph::Cast>().dtype == graph::Dtype::kBool)
    for (float& value : y.values) value = value == 0 ? 0 : 1;
  return y;
}

}  // namespace samebits::oracle

namespace samebits::graph {

inline std::vector<OpRow> logic_rows() {
  const InputKind integers{Dtype::kInt64, 3}, bools{Dtype::kBool};
  std::vector<OpCase> comparisons, logic, casts;
  for (std::size_t kind = 0; kind < std::size(kComparisonNames); ++kind) {
    const Compare compare{static_cast<Comparison>(kind)};
    comparisons.push_back({kComparisonNames[kind], compare, {{3, 50}, {3, 1}}});
    comparisons.push_back(
        {std::string("integers ") + kComparisonNames[kind], compare, {{4, 7}, {4, 7}}, {integers, integers}});
  }
  for (std::size_t kind = 0; kind < std::size(kLogicalNames); ++kind)
    logic.push_back(
        {kLogicalNames[kind], Logical{static_cast<LogicalKind>(kind)}, {{3, 9}, {1, 9}}, {bools, bools}});
  for (const Dtype from : {Dtype::kFloat32, Dtype::kInt64, Dtype::kBool})
    for (const Dtype to : {Dtype::kFloat32, Dtype::kInt64, Dtype::kBool})
      if (from != Dtype::kFloat32 || to != Dtype::kInt64)
        casts.push_back(
            {std::string(to_text(from)) + " to " + to_text(to), Cast{to}, {{3, 11}}, {{from, 1000}}});
  const Shape mask = {kSequence, kSequence};
  return {
      {"compare", oracle::run_compare, true, comparisons},
      {"logical", oracle::run_logical, true, logic},
      {"where",
       oracle::run_where,
       true,
       {{"one shape", Where{}, {{3, 40}, {3, 40}, {3, 40}}, {bools}},
        {"a mask",
         Where{},
         {{}, {}, {}},
         {{Dtype::kBool, 2, mask}, {.shape = {kBatch, kSequence, kSequence}}, {.shape = {1}}}},
        {"integers", Where{}, {{5}, {5}, {1}}, {bools, {Dtype::kInt64, 90}, {Dtype::kInt64, 90}}},
        {"bools", Where{}, {{5}, {5}, {5}}, {bools, bools, bools}}}},
      {"cast", oracle::run_cast, true, casts},
  };
}

}  // namespace samebits::graph
