// ATen's operators that a graph takes as they are have the runtime's bits: every case of
// tests/graph/op_cases.h of an operator below, run by ATen. What is not below runs an operator of ours in
// training too.
#include <gmock/gmock.h>
#include <torch/torch.h>

#include "graph/ops/logic/cast.h"
#include "tests/runtime/arrays.h"

namespace samebits {
namespace {

using at::Tensor;
using graph::Node;
using Tensors = std::vector<Tensor>;

struct AtenRow {
  const char* op;
  Tensor (*run)(const Node& node, const Tensors& x);
};

Tensor constant_of(const graph::ConstantTensor& value) {
  if (value.dtype == graph::Dtype::kFloat32) return at::tensor(value.floats).reshape(value.shape);
  if (value.dtype == graph::Dtype::kInt64) return at::tensor(value.integers).reshape(value.shape);
  return at::tensor(value.flags).to(at::kBool).reshape(value.shape);
}

Tensor clamped(const graph::Clamp& clamp, const Tensor& x) {
  if (clamp.low == graph::kNoLow) return at::clamp_max(x, clamp.high);
  return clamp.high == graph::kNoHigh ? at::clamp_min(x, clamp.low) : at::clamp(x, clamp.low, clamp.high);
}

Tensor compared(graph::Comparison kind, const Tensor& a, const Tensor& b) {
  using Compare = Tensor (*)(const Tensor&, const Tensor&);
  constexpr Compare kRuns[] = {at::eq, at::ne, at::lt, at::le, at::gt, at::ge};
  return kRuns[static_cast<std::size_t>(kind)](a, b);
}

Tensor joined(graph::LogicalKind kind, const Tensor& a, const Tensor& b) {
  if (kind == graph::LogicalKind::kAnd) return at::logical_and(a, b);
  return kind == graph::LogicalKind::kOr ? at::logical_or(a, b) : at::logical_xor(a, b);
}

Tensor cast(graph::Dtype dtype, const Tensor& x) {
  return x.to(dtype == graph::Dtype::kFloat32 ? at::kFloat
              : dtype == graph::Dtype::kInt64 ? at::kLong
                                              : at::kBool);
}

Tensor padded(const graph::Pad& pad, const Tensor& x) {
  std::vector<std::int64_t> paddings;
  for (std::size_t d = pad.before.size(); d-- > 0;) {
    if (pad.mode != graph::PadMode::kConstant && paddings.size() == 4)
      break;  // those of the last two dimensions
    paddings.insert(paddings.end(), {pad.before[d], pad.after[d]});
  }
  constexpr const char* kModes[] = {"constant", "reflect", "replicate"};
  return at::pad(x, paddings, kModes[static_cast<std::size_t>(pad.mode)], pad.value);
}

Tensor embedded(const graph::FloatTensor& table, const Tensor& x) {
  return at::embedding(at::tensor(table.values).reshape(table.shape), x);
}

Tensor averaged(const graph::AvgPool2d& pool, const Tensor& x) {
  return at::avg_pool2d(x, pool.kernel, pool.stride, pool.padding, pool.ceil_mode, pool.count_include_pad);
}

Tensor upsampled(const graph::UpsampleNearest2d& upsample, const Tensor& x) {
  return at::upsample_nearest2d(x, upsample.size, 1.0 / upsample.step_height, 1.0 / upsample.step_width);
}

#define SAMEBITS_ATEN(op, expression)                                                          \
  {                                                                                            \
    op, [](const Node& n, const Tensors& x) -> Tensor { return (void)n, (void)x, expression; } \
  }
const std::vector<AtenRow>& rows() {
  static const std::vector<AtenRow> kRows = {
      SAMEBITS_ATEN("relu", at::relu(x[0])),
      SAMEBITS_ATEN("clamp", clamped(n.as<graph::Clamp>(), x[0])),
      SAMEBITS_ATEN("add", at::add(x[0], x[1])),
      SAMEBITS_ATEN("sub", at::sub(x[0], x[1])),
      SAMEBITS_ATEN("mul", at::mul(x[0], x[1])),
      SAMEBITS_ATEN("div", at::div(x[0], x[1])),
      SAMEBITS_ATEN("minimum", at::minimum(x[0], x[1])),
      SAMEBITS_ATEN("maximum", at::maximum(x[0], x[1])),
      SAMEBITS_ATEN("neg", at::neg(x[0])),
      SAMEBITS_ATEN("abs", at::abs(x[0])),
      SAMEBITS_ATEN("compare", compared(n.as<graph::Compare>().kind, x[0], x[1])),
      SAMEBITS_ATEN("logical", joined(n.as<graph::Logical>().kind, x[0], x[1])),
      SAMEBITS_ATEN("where", at::where(x[0], x[1], x[2])),
      SAMEBITS_ATEN("cast", cast(n.as<graph::Cast>().dtype, x[0])),
      SAMEBITS_ATEN("permute", at::permute(x[0], n.as<graph::Permute>().axes)),
      SAMEBITS_ATEN("cat", at::cat(x, n.as<graph::Cat>().axis)),
      SAMEBITS_ATEN("pad", padded(n.as<graph::Pad>(), x[0])),
      SAMEBITS_ATEN("constant", constant_of(n.as<graph::Constant>().value)),
      SAMEBITS_ATEN("gather", at::gather(x[0], n.as<graph::Gather>().axis, x[1])),
      SAMEBITS_ATEN("embedding", embedded(n.as<graph::Embedding>().weight, x[0])),
      SAMEBITS_ATEN("upsample_nearest2d", upsampled(n.as<graph::UpsampleNearest2d>(), x[0])),
      SAMEBITS_ATEN("avg_pool2d", averaged(n.as<graph::AvgPool2d>(), x[0])),
  };
  return kRows;
}
#undef SAMEBITS_ATEN

Tensor as_tensor(const runtime::Array& array) {
  const auto dtype = array.dtype == graph::Dtype::kFloat32 ? at::kFloat
                     : array.dtype == graph::Dtype::kInt64 ? at::kLong
                                                           : at::kBool;
  return at::from_blob(const_cast<void*>(array.data()), array.shape, dtype).clone();
}

/// A NaN is a NaN: which one is the processor's choice.
void expect_same(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  ASSERT_EQ(got.scalar_type(), expected.scalar_type());
  if (got.scalar_type() != at::kFloat) {
    EXPECT_TRUE(at::equal(got, expected));
    return;
  }
  const Tensor differs =
      (got.view(at::kInt) != expected.contiguous().view(at::kInt)) & ~(got.isnan() & expected.isnan());
  EXPECT_EQ(differs.sum().item<std::int64_t>(), 0);
}

TEST(AtenBits, AreTheRuntimesForEveryOperatorThatAGraphTakesAsItIs) {
  for (const AtenRow& row : rows()) {
    const auto& all = graph::op_rows();
    const auto cases = std::find_if(all.begin(), all.end(),
                                    [&](const graph::OpRow& each) { return std::string(each.op) == row.op; });
    ASSERT_NE(cases, all.end()) << row.op;
    for (const graph::OpCase& c : cases->cases) {
      SCOPED_TRACE(row.op + (": " + c.name));
      const graph::Graph graph = graph_of(*cases, c);
      std::vector<std::int64_t> limits;
      for (const graph::InputKind& kind : c.kinds) limits.push_back(kind.limit);
      const std::vector<runtime::Array> inputs = runtime::random_inputs(graph, 7, 11, limits);
      Tensors x;
      for (const runtime::Array& input : inputs) x.push_back(as_tensor(input));
      runtime::Interpreter interpreter(graph, 2);
      expect_same(as_tensor(interpreter.run(inputs)[0]), row.run(graph.nodes[0], x));
    }
  }
}

}  // namespace
}  // namespace samebits
