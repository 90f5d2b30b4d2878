// Cases of graph/ops/matmul/.
#pragma once

#include "graph/ops/matmul/matmul.h"
#include "tests/graph/cases/arithmetic.h"

namespace samebits::oracle {

inline FloatTensor run_matmul(const Node& node, const Tensors& inputs) {
  const bool is_transposed = node.as<graph::Matmul>().transpose_b;
  const std::int64_t k = inputs[0].shape.back();
  Tensors batches = {{inputs[0].shape, {}}, {inputs[1].shape, {}}};
  for (FloatTensor& batch : batches) batch.shape.resize(batch.shape.size() - 2);
  graph::Sizes shape = broadcast_sizes(batches);
  const std::size_t rank = shape.size();
  shape.push_back(inputs[0].shape[inputs[0].shape.size() - 2]);
  shape.push_back(is_transposed ? inputs[1].shape[inputs[1].shape.size() - 2] : inputs[1].shape.back());
  return tensor_of(shape, [&](const std::vector<std::int64_t>& places) {
    // As many dimensions as the input has: a matrix of size 1 is no broadcast.
    const auto element = [&](const FloatTensor& x, std::int64_t row, std::int64_t column) {
      std::vector<std::int64_t> from(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(rank));
      from.push_back(row);
      from.push_back(column);
      return at(x, from);
    };
    float t = 0;
    for (std::int64_t p = 0; p < k; ++p)
      t = fma(
          element(inputs[0], places[rank], p),
          is_transposed ? element(inputs[1], places[rank + 1], p) : element(inputs[1], p, places[rank + 1]),
          t);
    return one_nan(t);
  });
}

}  // namespace samebits::oracle

namespace samebits::graph {

inline std::vector<OpRow> matmul_rows() {
  const InputKind scores{.shape = {kBatch, 2, kSequence, kSequence}},
      rows{.shape = {kBatch, 2, kSequence, 5}};
  return {{"matmul",
           oracle::run_matmul,
           false,
           {{"many", Matmul{}, {{7, 20}, {20, 33}}},
            {"transposed", Matmul{true}, {{7, 20}, {33, 20}}},
            {"one", Matmul{}, {{1, 1}, {1, 1}}},
            {"a b for all", Matmul{}, {{7, 20}, {}}, {{}, {.shape = {20, 18}}}},
            {"a transposed b for all", Matmul{true}, {{3, 7, 20}, {}}, {{}, {.shape = {18, 20}}}},
            {"an a for all", Matmul{}, {{}, {20, 3}}, {{.shape = {4, 20}}, {}}},
            {"batches that broadcast", Matmul{}, {{3, 1, 4, 6}, {1, 2, 6, 5}}},
            {"a deep one", Matmul{}, {{3, 700}, {700, 2}}},
            {"scores of heads", Matmul{true}, {{}, {}}, {rows, rows}},
            {"what scores weight", Matmul{}, {{}, {}}, {scores, rows}}}}};
}

}  // namespace samebits::graph
