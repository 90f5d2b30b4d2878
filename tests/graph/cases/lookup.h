// Cases of graph/ops/lookup/.
#pragma once

#include "graph/ops/lookup/embedding.h"
#include "graph/ops/lookup/gather.h"
#include "graph/ops/lookup/index_select.h"
#include "graph/ops/lookup/quantized_embedding.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

inline FloatTensor run_index_select(const Node& node, const Tensors& inputs) {
  const auto axis = static_cast<std::ptrdiff_t>(node.as<graph::IndexSelect>().axis);
  const graph::Sizes &x = inputs[0].shape, &index = inputs[1].shape;
  graph::Sizes shape(x.begin(), x.begin() + axis);
  shape.insert(shape.end(), index.begin(), index.end());
  shape.insert(shape.end(), x.begin() + axis + 1, x.end());
  return tensor_of(shape, [&](const std::vector<std::int64_t>& places) {
    const auto first = places.begin() + axis, last = first + std::ssize(index);
    std::vector<std::int64_t> from(places.begin(), first);
    from.push_back(static_cast<std::int64_t>(at(inputs[1], {first, last})));
    from.insert(from.end(), last, places.end());
    return at(inputs[0], from);
  });
}

inline FloatTensor run_gather(const Node& node, const Tensors& inputs) {
  const auto axis = static_cast<std::size_t>(node.as<graph::Gather>().axis);
  return tensor_of(inputs[1].shape, [&](std::vector<std::int64_t> places) {
    places[axis] = static_cast<std::int64_t>(at(inputs[1], places));
    return at(inputs[0], places);
  });
}

inline FloatTensor run_embedding(const Node& node, const Tensors& inputs) {
  const graph::FloatTensor& weight = node.as<graph::Embedding>().weight;
  FloatTensor y{inputs[0].shape, {}};
  y.shape.push_back(weight.shape[1]);
  for (const float row : inputs[0].values)
    for (std::int64_t column = 0; column < weight.shape[1]; ++column)
      y.values.push_back(
          weight.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(weight.shape[1]) +
                        static_cast<std::size_t>(column)]);
  return y;
}

inline FloatTensor run_quantized_embedding(const Node& node, const Tensors& inputs) {
  const quant::QuantizedTensor& weight = node.as<graph::QuantizedEmbedding>().weight;
  FloatTensor y{inputs[0].shape, {}};
  y.shape.push_back(weight.shape[1]);
  for (const float row : inputs[0].values)
    for (std::int64_t column = 0; column < weight.shape[1]; ++column) {
      const auto place = static_cast<std::size_t>(row);
      const std::size_t at =
          place * static_cast<std::size_t>(weight.shape[1]) + static_cast<std::size_t>(column);
      y.values.push_back(static_cast<float>(weight.codes[at]) * weight.scale[place]);
    }
  return y;
}

}  // namespace samebits::oracle

namespace samebits::graph {

inline std::vector<OpRow> lookup_rows() {
  std::mt19937 random(17);
  const auto index = [](std::int64_t limit, Shape shape) {
    return InputKind{Dtype::kInt64, limit, std::move(shape)};
  };
  const InputKind floats{};
  const auto codes_of = [&](int bits, const Sizes& shape) {
    return QuantizedEmbedding{random_weight({"", bits, 0, false, true}, shape, random)};
  };
  const Embedding table{random_tensor({11, 6}, random)}, column{random_tensor({5, 1}, random)};
  return {
      {"index_select",
       oracle::run_index_select,
       true,
       {{"channels", IndexSelect{1}, {{4, 3}, {}}, {floats, index(4, {6})}},
        {"columns", IndexSelect{2}, {{4, 3}, {}}, {floats, index(3, {2})}},
        {"an index of two dimensions", IndexSelect{1}, {{5, 2}, {}}, {floats, index(5, {2, 3})}},
        {"an index of each item", IndexSelect{0}, {{}, {3}}, {{.shape = {7, 2}}, index(7, {})}},
        {"integers", IndexSelect{1}, {{5}, {}}, {index(90, {}), index(5, {4})}},
        {"bools", IndexSelect{1}, {{5}, {}}, {{Dtype::kBool}, index(5, {4})}}}},
      {"gather",
       oracle::run_gather,
       true,
       {{"columns", Gather{1}, {{5}, {3}}, {floats, index(5, {})}},
        {"channels", Gather{1}, {{4, 3}, {2, 3}}, {floats, index(4, {})}},
        {"a smaller index", Gather{2}, {{4, 5}, {3, 2}}, {floats, index(5, {})}},
        {"integers", Gather{1}, {{4}, {2}}, {index(90, {}), index(4, {})}}}},
      {"embedding",
       oracle::run_embedding,
       true,
       {{"a token an item", table, {{}}, {index(11, {kBatch})}},
        {"sequences", table, {{}}, {index(11, {kBatch, kSequence})}},
        {"one column", column, {{2, 3}}, {index(5, {})}}}},
      {"quantized_embedding",
       oracle::run_quantized_embedding,
       true,
       {{"8 bits", codes_of(8, {11, 6}), {{}}, {index(11, {kBatch})}},
        {"4 bits, sequences", codes_of(4, {11, 6}), {{}}, {index(11, {kBatch, kSequence})}},
        {"2 bits, one column", codes_of(2, {5, 1}), {{2, 3}}, {index(5, {})}}}},
  };
}

}  // namespace samebits::graph
