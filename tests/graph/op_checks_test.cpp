// graph/ops/: the sentence for attributes and inputs that an operator does not take.
#include <gmock/gmock.h>

#include <limits>

#include "tests/graph/op_cases.h"
#include "tests/io/test_files.h"

namespace samebits::graph {
namespace {

constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
const TensorType kFloats{Dtype::kFloat32, {kBatch, 4}}, kImages{Dtype::kFloat32, {kBatch, 2, 5, 6}},
    kIntegers{Dtype::kInt64, {kBatch, 4}}, kBools{Dtype::kBool, {kBatch, 4}};

struct Refusal {
  const char* why;
  Node node;  // its inputs are named by expect_messages()
  std::vector<TensorType> inputs;
  const char* message;
};

template <class A>
Node node_of(A attributes) {
  return make_node("op", std::move(attributes), {}, "y");
}

/// Inputs "i0", "i1", … of these types, and first one that tells batch and sequence.
Graph graph_of(const Refusal& refusal) {
  Graph graph{.name = "net",
              .inputs = {{"symbols", {Dtype::kFloat32, {kBatch, kSequence}}}},
              .outputs = {"y"},
              .nodes = {refusal.node}};
  for (std::size_t i = 0; i < refusal.inputs.size(); ++i) {
    const std::string name = io::join("i", i);
    graph.inputs.push_back({name, refusal.inputs[i]});
    graph.nodes[0].inputs.push_back(name);
  }
  return graph;
}

void expect_messages(const std::vector<Refusal>& refusals) {
  for (const Refusal& refusal : refusals) {
    SCOPED_TRACE(refusal.why);
    EXPECT_EQ(error_of([&] { check(graph_of(refusal)); }), std::string("[graph] op: ") + refusal.message);
  }
}

TEST(OpChecks, RefuseNumbersThatDoNotGoTogether) {
  const std::vector<float> none;
  expect_messages({
      {"other sizes",
       node_of(Mul{}),
       {kFloats, {Dtype::kFloat32, {kBatch, 5}}},
       "expected inputs whose sizes are equal or 1, got [batch, 4] and [batch, 5]"},
      {"the batch and the sequence",
       node_of(Sub{}),
       {{Dtype::kFloat32, {kBatch}}, {Dtype::kFloat32, {kSequence}}},
       "expected inputs whose sizes are equal or 1, got [batch] and [sequence]"},
      {"floats and integers",
       node_of(Add{}),
       {kFloats, kIntegers},
       "expected inputs of float32, or all of int64, got float32 and int64"},
      {"bools",
       node_of(Add{}),
       {kBools, kBools},
       "expected inputs of float32, or all of int64, got bool and bool"},
      {"a quotient of integers",
       node_of(Div{}),
       {kIntegers, kIntegers},
       "expected inputs of float32, got int64 and int64"},
      {"the sign of integers", node_of(Neg{}), {kIntegers}, "expected an input of float32, got int64"},
      {"nine dimensions",
       node_of(Add{}),
       {{Dtype::kFloat32, Shape(9, Dimension(1))}, {Dtype::kFloat32, Shape(9, Dimension(1))}},
       "expected at most 8 dimensions, got [1, 1, 1, 1, 1, 1, 1, 1, 1]"},
      {"no bound",
       node_of(Clamp{kNoLow, kNoHigh}),
       {kFloats},
       "expected a finite bound or two with low <= high, got -inf and inf"},
      {"bounds that cross",
       node_of(Clamp{1, 0}),
       {kFloats},
       "expected a finite bound or two with low <= high, got 1 and 0"},
      {"a bound that is NaN",
       node_of(Clamp{std::nanf(""), 0}),
       {kFloats},
       "expected a finite bound or two with low <= high, got nan and 0"},
      {"floats as bools", node_of(Logical{}), {kFloats, kBools}, "expected two inputs of bool, got float32"},
      {"a condition of floats",
       node_of(Where{}),
       {kFloats, kFloats, kFloats},
       "expected a condition of bool, got float32"},
      {"a choice of two types",
       node_of(Where{}),
       {kBools, kFloats, kIntegers},
       "expected two values of one dtype, got float32 and int64"},
      {"floats to integers",
       node_of(Cast{Dtype::kInt64}),
       {kFloats},
       "expected a cast to float32 or bool, got one of float32 to int64"},
  });
}

TEST(OpChecks, RefuseShapesThatDoNotFit) {
  expect_messages({
      {"more elements",
       node_of(Reshape{{kBatch, 5}}),
       {kFloats},
       "expected a shape of as many elements as [batch, 4], got [batch, 5]"},
      {"as many for one item alone",
       node_of(Reshape{{kSequence, 4}}),
       {kFloats},
       "expected a shape of as many elements as [batch, 4], got [sequence, 4]"},
      {"a product that overflows",
       node_of(Reshape{{kHuge, kHuge}}),
       {kFloats},
       "expected a shape of as many elements as [batch, 4], got [9223372036854775807, 9223372036854775807]"},
      {"an axis twice",
       node_of(Permute{{0, 0}}),
       {kFloats},
       "expected axes that are each of [0, 1] once, got [0, 0]"},
      {"too few axes",
       node_of(Permute{{0}}),
       {kFloats},
       "expected axes that are each of [0, 1] once, got [0]"},
      {"nothing to join", node_of(Cat{}), {}, "expected an input for op cat, got none"},
      {"no such axis", node_of(Cat{2}), {kFloats, kFloats}, "expected an axis of [batch, 4], got 2"},
      {"a negative axis", node_of(Cat{-1}), {kFloats, kFloats}, "expected an axis of [batch, 4], got -1"},
      {"other sizes beside the axis",
       node_of(Cat{0}),
       {kFloats, {Dtype::kFloat32, {kBatch, 5}}},
       "expected inputs of one dtype and, but for dimension 0, one shape, got float32 [batch, 4] and float32 "
       "[batch, 5]"},
      {"two dtypes",
       node_of(Cat{1}),
       {kFloats, kIntegers},
       "expected inputs of one dtype and, but for dimension 1, one shape, got float32 [batch, 4] and int64 "
       "[batch, 4]"},
      {"an end beyond", node_of(Slice{1, 0, 5}), {kFloats}, "expected 0 <= begin < end <= 4, got 0 and 5"},
      {"nothing", node_of(Slice{1, 2, 2}), {kFloats}, "expected 0 <= begin < end <= 4, got 2 and 2"},
      {"a begin below 0",
       node_of(Slice{1, -1, 2}),
       {kFloats},
       "expected 0 <= begin < end <= 4, got -1 and 2"},
      {"no step",
       node_of(Slice{1, 0, 2, 0}),
       {kFloats},
       "expected a step >= 1, and of 1 where a bound depends on a symbol, got 0"},
      {"a step of a sequence",
       node_of(Slice{0, 0, kBatch, 2}),
       {kFloats},
       "expected a step >= 1, and of 1 where a bound depends on a symbol, got 2"},
      {"expanded to another size",
       node_of(Expand{{kBatch, 5}}),
       {kFloats},
       "expected a shape to which [batch, 4] expands, got [batch, 5]"},
      {"expanded to fewer dimensions",
       node_of(Expand{{4}}),
       {kFloats},
       "expected a shape to which [batch, 4] expands, got [4]"},
      {"paddings of other dimensions",
       node_of(Pad{{1}, {0, 1}}),
       {kFloats},
       "expected paddings for each dimension of [batch, 4], got 1 before and 2 after"},
      {"a negative padding",
       node_of(Pad{{0, -1}, {0, 0}}),
       {kFloats},
       "expected padding in 0..32768, got -1"},
      {"a mirror beyond the other edge",
       node_of(Pad{{0, 4}, {0, 0}, PadMode::kReflect}),
       {kFloats},
       "expected a reflected padding below the size, got 4 of 4"},
      {"a mirrored batch",
       node_of(Pad{{1, 0}, {0, 0}, PadMode::kReflect}),
       {kFloats},
       "expected a reflected padding below the size, got 1 of batch"},
      {"padded by infinity",
       node_of(Pad{{0, 1}, {0, 0}, PadMode::kConstant, HUGE_VALF}),
       {kFloats},
       "expected a finite value, and 0 where none is padded, got inf"},
      {"a value that is not padded",
       node_of(Pad{{0, 1}, {0, 0}, PadMode::kReplicate, 1}),
       {kFloats},
       "expected a finite value, and 0 where none is padded, got 1"},
      {"integers", node_of(Pad{{0, 1}, {0, 0}}), {kIntegers}, "expected an input of float32, got int64"},
      {"a constant of too few values",
       node_of(Constant{{.shape = {3}, .floats = {1, 2}}}),
       {},
       "value: expected 3 values, got 2"},
      {"bools of 2",
       node_of(Constant{{.dtype = Dtype::kBool, .shape = {1}, .flags = {2}}}),
       {},
       "value: expected bools of 0 or 1, got others"},
  });
}

TEST(OpChecks, RefuseLookupsAndResizesAndProductsThatDoNotFit) {
  const FloatTensor table{{3, 2}, std::vector<float>(6)};
  expect_messages({
      {"an index of floats",
       node_of(IndexSelect{1}),
       {kFloats, kFloats},
       "expected an index of int64, got float32"},
      {"an axis that is not there",
       node_of(IndexSelect{2}),
       {kFloats, kIntegers},
       "expected an axis of [batch, 4], got 2"},
      {"an index of another rank",
       node_of(Gather{1}),
       {kFloats, {Dtype::kInt64, {kBatch}}},
       "expected an index of at most [batch, 4] but for dimension 1, got [batch]"},
      {"an index of more rows",
       node_of(Gather{1}),
       {{Dtype::kFloat32, {3, 4}}, {Dtype::kInt64, {5, 4}}},
       "expected an index of at most [3, 4] but for dimension 1, got [5, 4]"},
      {"floats to look up", node_of(Embedding{table}), {kFloats}, "expected an index of int64, got float32"},
      {"a table of another size",
       node_of(Embedding{{{3, 3}, table.values}}),
       {kIntegers},
       "weight: expected 9 values, got 6"},
      {"no height", node_of(UpsampleNearest2d{{0, 2}}), {kImages}, "expected a size in 1..2147483648, got 0"},
      {"a step that is NaN",
       node_of(UpsampleBilinear2d{{2, 2}, 1, std::nanf("")}),
       {kImages},
       "expected finite steps >= 0, got nan"},
      {"vectors",
       node_of(UpsampleNearest2d{{2, 2}}),
       {kFloats},
       "expected an input of shape [batch, channels, height, width], got [batch, 4]"},
      {"a product of vectors",
       node_of(Matmul{}),
       {{Dtype::kFloat32, {4}}, kFloats},
       "expected inputs of two dimensions or more, got [4]"},
      {"another depth",
       node_of(Matmul{}),
       {kFloats, {Dtype::kFloat32, {5, 3}}},
       "expected inputs of [..., m, k] and [..., k, n], got [batch, 4] and [5, 3]"},
      {"another depth, transposed",
       node_of(Matmul{true}),
       {kFloats, {Dtype::kFloat32, {4, 3}}},
       "expected inputs of [..., m, k] and [..., n, k], got [batch, 4] and [4, 3]"},
      {"batches that do not broadcast",
       node_of(Matmul{}),
       {{Dtype::kFloat32, {2, 3, 4}}, {Dtype::kFloat32, {5, 4, 3}}},
       "expected inputs whose sizes are equal or 1, got [2] and [5]"},
      {"integers", node_of(Matmul{}), {kIntegers, kIntegers}, "expected an input of float32, got int64"},
  });
}

TEST(OpChecks, TakeSizesThatAreNoneForASequenceOfOne) {
  const Refusal shorter{"", node_of(Slice{1, 2, kSequence}), {{Dtype::kFloat32, {kBatch, kSequence}}}, ""};
  EXPECT_EQ(error_of([&] { check(graph_of(shorter)); }), "");
  EXPECT_EQ(to_text(checked_types(graph_of(shorter)).back().shape), "[batch, sequence - 2]");
}

}  // namespace
}  // namespace samebits::graph
