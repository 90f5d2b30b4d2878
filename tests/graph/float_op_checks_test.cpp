// What functions, norms and reductions refuse, by the whole text, and shapes that the cases do not show.
#include <gmock/gmock.h>

#include <limits>

#include "tests/graph/op_cases.h"

namespace samebits::graph {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// The error of a node "op" with these attributes on an input of this shape, or "no error".
template <class A>
std::string error_of(A attributes, const Shape& shape) {
  Graph graph{.name = "net", .inputs = {{"x", {Dtype::kFloat32, shape}}}, .outputs = {"y"}, .nodes = {}};
  graph.nodes = {make_node("op", std::move(attributes), {"x"}, "y")};
  try {
    checked_types(graph);
  } catch (const GraphError& error) {
    return error.what();
  }
  return "no error";
}

TEST(FloatOpChecks, NameWhatIsWrong) {
  const Shape images = {kBatch, 6, 4, 5}, rows = {kBatch, 8}, sequences = {kBatch, kSequence, 8};
  const std::vector<float> four(4, 1.0f);
  const struct {
    std::string expected, got;
  } kCases[] = {
      {"op: expected finite alpha and scale and an input_scale > 0, got 1, 1 and 0",
       error_of(Elu{1, 1, 0}, rows)},
      {"op: expected finite alpha and scale and an input_scale > 0, got inf, 1 and 1",
       error_of(Elu{kInfinity, 1, 1}, rows)},
      {"op: expected a finite negative_slope, got inf", error_of(LeakyRelu{kInfinity}, rows)},
      {"op: expected dim in 0..1 for an input of shape [batch, 8], got 2", error_of(Softmax{2}, rows)},
      {"op: expected dim in 0..1 for an input of shape [batch, 8], got -1", error_of(LogSoftmax{-1}, rows)},
      {"op: expected dims in 1..2 for an input of shape [batch, 8], got 3",
       error_of(LayerNorm{3, 1e-5f, {}, {}}, rows)},
      {"op: expected a number as size 1 of its input, got [batch, sequence, 8]",
       error_of(LayerNorm{2, 1e-5f, {}, {}}, sequences)},
      {"op: expected a finite eps >= 0, got -1", error_of(RmsNorm{1, -1, {}}, rows)},
      {"op: weight: expected 8 elements, got 4", error_of(RmsNorm{1, 1e-5f, four}, rows)},
      {"op: bias: expected 8 elements, got 4", error_of(LayerNorm{1, 1e-5f, {}, four}, rows)},
      {"op: expected groups that divide 6 channels, got 4", error_of(GroupNorm{4, 1e-5f, {}, {}}, images)},
      {"op: expected a finite eps >= 0, got inf", error_of(GroupNorm{3, kInfinity, {}, {}}, images)},
      {"op: weight: expected 6 elements, one a channel, got 4",
       error_of(GroupNorm{3, 1e-5f, four, {}}, images)},
      {"op: expected an input of shape [batch, channels, ...], got [batch]", error_of(GroupNorm{}, {kBatch})},
      {"op: expected a scale and a bias, got none", error_of(BatchNorm{{}, {}}, rows)},
      {"op: scale: expected 6 elements, one a channel, got 4", error_of(BatchNorm{four, four}, images)},
      {"op: expected 0 <= first_dim <= last_dim < 2 for an input of shape [batch, 8], got 1 and 2",
       error_of(reduced<Mean>(1, 2, false), rows)},
      {"op: expected 0 <= first_dim <= last_dim < 2 for an input of shape [batch, 8], got 1 and 0",
       error_of(reduced<Amax>(1, 0, false), rows)},
      {"op: expected an input of shape [batch, channels, height, width], got [batch, 8]",
       error_of(AdaptiveAvgPool2d{}, rows)},
      {"op: expected output sizes in 1..32768, got 0", error_of(AdaptiveAvgPool2d{{1, 0}}, images)},
  };
  for (const auto& c : kCases) EXPECT_EQ(c.got, c.expected);
}

TEST(FloatOpChecks, RowsMayBeAsLongAsASequence) {
  const Shape sequences = {kBatch, kSequence, 8};
  EXPECT_EQ(error_of(Softmax{1}, sequences), "no error");
  EXPECT_EQ(error_of(LayerNorm{1, 1e-5f, {}, {}}, sequences), "no error");
  EXPECT_EQ(error_of(reduced<Mean>(1, 1, false), sequences), "no error");
}

}  // namespace
}  // namespace samebits::graph
