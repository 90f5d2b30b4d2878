// Cases of graph/ops/shape/.
#pragma once

#include "graph/ops/shape/cat.h"
#include "graph/ops/shape/constant.h"
#include "graph/ops/shape/expand.h"
#include "graph/ops/shape/pad.h"
#include "graph/ops/shape/permute.h"
#include "graph/ops/shape/reshape.h"
#include "graph/ops/shape/slice.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

inline FloatTensor run_reshape(const Node& node, const Tensors& inputs) {
  return {graph::sizes_at(node.as<graph::Reshape>().shape, symbols()), inputs[0].values};
}

inline FloatTensor run_permute(const Node& node, const Tensors& inputs) {
  const graph::Sizes& axes = node.as<graph::Permute>().axes;
  graph::Sizes shape;
  for (const std::int64_t axis : axes) shape.push_back(inputs[0].shape[static_cast<std::size_t>(axis)]);
  return tensor_of(shape, [&](const auto& places) {
    std::vector<std::int64_t> from(places.size());
    for (std::size_t d = 0; d < places.size(); ++d) from[static_cast<std::size_t>(axes[d])] = places[d];
    return at(inputs[0], from);
  });
}

inline FloatTensor run_cat(const Node& node, const Tensors& inputs) {
  const auto axis = static_cast<std::size_t>(node.as<graph::Cat>().axis);
  graph::Sizes shape = inputs[0].shape;
  for (std::size_t i = 1; i < inputs.size(); ++i) shape[axis] += inputs[i].shape[axis];
  return tensor_of(shape, [&](std::vector<std::int64_t> places) {
    std::size_t input = 0;
    while (places[axis] >= inputs[input].shape[axis]) places[axis] -= inputs[input++].shape[axis];
    return at(inputs[input], places);
  });
}

inline FloatTensor run_slice(const Node& node, const Tensors& inputs) {
  const auto& slice = node.as<graph::Slice>();
  const auto axis = static_cast<std::size_t>(slice.axis);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = slice.begin.at(symbols()); i < slice.end.at(symbols()); i += slice.step)
    kept.push_back(i);
  graph::Sizes shape = inputs[0].shape;
  shape[axis] = std::ssize(kept);
  return tensor_of(shape, [&](std::vector<std::int64_t> places) {
    places[axis] = kept[static_cast<std::size_t>(places[axis])];
    return at(inputs[0], places);
  });
}

inline FloatTensor run_expand(const Node& node, const Tensors& inputs) {
  return tensor_of(graph::sizes_at(node.as<graph::Expand>().shape, symbols()),
                   [&](const auto& places) { return at(inputs[0], places); });
}

/// Walks one step at a time: back where an edge mirrors, nowhere where it repeats.
inline std::int64_t walked(graph::PadMode mode, std::int64_t place, std::int64_t size) {
  if (mode == graph::PadMode::kReplicate) return std::max<std::int64_t>(0, std::min(place, size - 1));
  std::int64_t at = 0, step = place < 0 ? -1 : 1;
  for (std::int64_t left = std::abs(place); left > 0; --left) {
    if (at + step < 0 || at + step >= size) step = -step;
    at += step;
  }
  return at;
}

inline FloatTensor run_pad(const Node& node, const Tensors& inputs) {
  const auto& pad = node.as<graph::Pad>();
  graph::Sizes shape = inputs[0].shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] += pad.before[d] + pad.after[d];
  return tensor_of(shape, [&](std::vector<std::int64_t> places) {
    for (std::size_t d = 0; d < places.size(); ++d) {
      places[d] -= pad.before[d];
      const bool is_outside = places[d] < 0 || places[d] >= inputs[0].shape[d];
      if (is_outside && pad.mode == graph::PadMode::kConstant) return pad.value;
      if (is_outside) places[d] = walked(pad.mode, places[d], inputs[0].shape[d]);
    }
    return at(inputs[0], places);
  });
}

inline FloatTensor run_constant(const Node& node, const Tensors&) {
  const graph::ConstantTensor& value = node.as<graph::Constant>().value;
  FloatTensor y{value.shape, value.floats};
  for (const std::int64_t integer : value.integers) y.values.push_back(static_cast<float>(integer));
  for (const std::uint8_t flag : value.flags) y.values.push_back(flag);
  return y;
}

}  // namespace samebits::oracle

namespace samebits::graph {

inline std::vector<OpCase> reshape_cases() {
  const Dimension batch = kBatch, sequence = kSequence;
  return {
      {"flattened", Reshape{{batch, 24}}, {{2, 3, 4}}},
      {"a dimension of one", Reshape{{batch, 1, 6}}, {{6}}},
      {"split", Reshape{{batch, 3, 2, 4}}, {{6, 4}}},
      {"the batch in front of others", Reshape{{batch * 6, 4}}, {{6, 4}}},
      {"heads beside the batch", Reshape{{sequence, batch * 2, 5}}, {{}}, {{.shape = {sequence, batch, 10}}}},
      {"integers", Reshape{{batch, 2, 3}}, {{6}}, {{Dtype::kInt64, 50}}},
      {"bools of a sequence", Reshape{{batch, 1, 1, sequence}}, {{}}, {{Dtype::kBool, 2, {batch, sequence}}}},
  };
}

inline std::vector<OpCase> permute_cases() {
  std::vector<OpCase> cases = {
      {"two dimensions", Permute{{1, 0}}, {{}}, {{.shape = {kBatch, 7}}}},
      {"nothing", Permute{{0, 1, 2}}, {{3, 5}}},
      {"rows and columns", Permute{{0, 2, 1}}, {{30, 50}}},
      {"channels last", Permute{{0, 2, 3, 1}}, {{3, 4, 5}}},
      {"heads", Permute{{0, 2, 1, 3}}, {{}}, {{.shape = {kBatch, kSequence, 4, 8}}}},
      {"integers", Permute{{1, 0}}, {{5}}, {{Dtype::kInt64, 90}}},
      {"bools", Permute{{2, 1, 0}}, {{5, 2}}, {{Dtype::kBool}}},
  };
  for (const Sizes& axes : {Sizes{0, 3, 1, 2}, Sizes{3, 2, 1, 0}, Sizes{1, 3, 0, 2}})
    cases.push_back({"of four " + std::to_string(cases.size()), Permute{axes}, {{2, 3, 4}}});
  return cases;
}

inline std::vector<OpCase> cat_cases() {
  const InputKind sequence{.shape = {kBatch, kSequence, 4}};
  return {
      {"channels", Cat{1}, {{2, 3, 4}, {5, 3, 4}, {1, 3, 4}}},
      {"columns", Cat{3}, {{2, 3, 4}, {2, 3, 1}}},
      {"the batch", Cat{0}, {{3}, {3}}},
      {"one", Cat{1}, {{3}}},
      {"a sequence and more", Cat{1}, {{}, {2, 4}}, {sequence}},
      {"integers", Cat{1}, {{3}, {2}}, {{Dtype::kInt64, 40}, {Dtype::kInt64, 40}}},
      {"bools", Cat{1}, {{3}, {2}}, {{Dtype::kBool}, {Dtype::kBool}}},
  };
}

inline std::vector<OpCase> slice_cases() {
  const InputKind sequence{.shape = {kBatch, kSequence, 4}};
  const Dimension length = kSequence;
  return {
      {"columns", Slice{3, 1, 3}, {{2, 3, 5}}},
      {"channels", Slice{1, 2, 4}, {{5, 3, 4}}},
      {"one row", Slice{2, 3, 4}, {{2, 4, 4}}},
      {"all", Slice{1, 0, 5}, {{5}}},
      {"every second", Slice{1, 1, 7, 2}, {{7, 3}}},
      {"every third column", Slice{2, 0, 10, 3}, {{2, 11}}},
      {"the last of a sequence", Slice{1, length - 1, length}, {{}}, {sequence}},
      {"all but the first of a sequence", Slice{1, 1, length}, {{}}, {sequence}},
      {"integers", Slice{1, 1, 3}, {{4}}, {{Dtype::kInt64, 40}}},
  };
}

inline std::vector<OpCase> expand_cases() {
  return {
      {"channels", Expand{{kBatch, 3, 4, 5}}, {{1, 4, 5}}},
      {"columns", Expand{{kBatch, 3, 5}}, {{3, 1}}},
      {"in front", Expand{{2, kBatch, 7}}, {{7}}},
      {"a sequence of bools",
       Expand{{kBatch, kSequence, kSequence}},
       {{}},
       {{Dtype::kBool, 2, {kBatch, 1, kSequence}}}},
      {"nothing", Expand{{kBatch, 5}}, {{5}}},
  };
}

inline std::vector<OpCase> pad_cases() {
  std::vector<OpCase> cases = {
      {"zeros around images", Pad{{0, 0, 1, 2}, {0, 0, 3, 0}}, {{2, 3, 4}}},
      {"another value", Pad{{0, 2}, {0, 1}, PadMode::kConstant, -0.75f}, {{6}}},
      {"channels", Pad{{0, 1, 0, 0}, {0, 2, 0, 0}, PadMode::kConstant, 0.5f}, {{2, 3, 4}}},
      {"the batch", Pad{{1, 0}, {0, 0}}, {{3}}},
      {"a sequence", Pad{{0, 1, 0}, {0, 0, 0}}, {{}}, {{.shape = {kBatch, kSequence, 4}}}},
      {"nothing", Pad{{0, 0}, {0, 0}}, {{3}}},
  };
  for (const PadMode mode : {PadMode::kReflect, PadMode::kReplicate})
    for (const Pad& pad : {Pad{{0, 0, 1, 1}, {0, 0, 1, 1}, mode}, Pad{{0, 0, 0, 3}, {0, 0, 2, 2}, mode}})
      cases.push_back(
          {std::string(kPadModeNames[static_cast<std::size_t>(mode)]) + std::to_string(cases.size()),
           pad,
           {{2, 3, 4}}});
  return cases;
}

inline std::vector<OpRow> shape_rows() {
  const ConstantTensor floats{.shape = {2, 3}, .floats = {0, -0.0f, 1.5f, -2, 3e30f, 0x1p-149f}};
  const ConstantTensor integers{.dtype = Dtype::kInt64, .shape = {3}, .integers = {-1, 0, 1 << 20}};
  const ConstantTensor flags{.dtype = Dtype::kBool, .shape = {1, 2}, .flags = {1, 0}};
  const ConstantTensor number{.shape = {}, .floats = {0.1f}};
  return {
      {"reshape", oracle::run_reshape, true, reshape_cases()},
      {"permute", oracle::run_permute, true, permute_cases()},
      {"cat", oracle::run_cat, true, cat_cases()},
      {"slice", oracle::run_slice, true, slice_cases()},
      {"expand", oracle::run_expand, true, expand_cases()},
      {"pad", oracle::run_pad, true, pad_cases()},
      {"constant",
       oracle::run_constant,
       true,
       {{"floats", Constant{floats}, {}},
        {"integers", Constant{integers}, {}},
        {"bools", Constant{flags}, {}},
        {"a number", Constant{number}, {}}}},
  };
}

}  // namespace samebits::graph
