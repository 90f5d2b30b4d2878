// torch_ext/graph/ops/: what each ATen operator becomes. convert() runs the graph beside the model for two
// batches and compares the bits, so that a case that converts is right.
#include <gmock/gmock.h>

#include "graph/operator.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"

namespace samebits {
namespace {

using torch::Tensor;

/// Any forward, with a parameter and a buffer.
struct Any : torch::nn::Module {
  using Forward = std::function<Tensor(Any&, const Tensors&)>;
  Tensor scale = register_parameter("scale", torch::tensor({0.5f, -1.5f, 2.0f, 0.25f}));
  Tensor table = register_buffer("table", torch::randn({6, 4}));
  Forward run;
  explicit Any(Forward forward_of) : run(std::move(forward_of)) {}
  Tensors forward(const Tensors& inputs) { return {run(*this, inputs)}; }
};

std::string ops_of(Any::Forward forward, const Tensors& examples) {
  Any model(std::move(forward));
  const ModelRef ref{model, [&](const Tensors& inputs) { return model.forward(inputs); }, {}};
  std::string names;
  const QuantizedModel quantized = convert(ref, examples);
  for (const graph::Node& node : quantized.graph().nodes) {
    if (!names.empty()) names += ' ';
    names += node.op->name;
  }
  return names;
}

struct Case {
  const char* ops;
  Tensor (*forward)(Any& model, const Tensors& x);
};

class ReadOperators : public ModelTest {};

TEST_F(ReadOperators, OfNumbers) {
  const Tensors images = {torch::randn({3, 2, 4, 4}), torch::randn({3, 2, 4, 4})};
  const Case kCases[] = {
      {"add", [](Any&, const Tensors& x) { return x[0] + x[1]; }},
      {"constant add", [](Any&, const Tensors& x) { return x[0] + 0.1; }},
      {"constant add", [](Any& model, const Tensors& x) { return x[0] + model.scale; }},
      {"constant sub", [](Any&, const Tensors& x) { return x[0] - 0.1; }},
      {"constant sub", [](Any&, const Tensors& x) { return torch::rsub(x[0], 1); }},
      {"constant sub", [](Any&, const Tensors& x) { return 1 - x[0]; }},
      {"constant sub mul", [](Any&, const Tensors& x) { return (0.5 - x[0]) * x[1]; }},
      {"constant expand cat",
       [](Any&, const Tensors& x) {
         return torch::cat({x[0], torch::ones_like(x[1])});
       }},
      {"constant expand mul constant expand maximum",
       [](Any&, const Tensors& x) {
         const Tensor product = x[0] * torch::full_like(x[0], 0.3);
         return torch::maximum(product, torch::zeros_like(x[0]));
       }},
      {"compare constant logical", [](Any&, const Tensors& x) { return torch::logical_not(x[0] > x[1]); }},
      {"compare constant logical", [](Any&, const Tensors& x) { return ~(x[0] > x[1]); }},
      {"constant mul", [](Any& model, const Tensors& x) { return x[0] * model.scale; }},
      {"constant mul", [](Any&, const Tensors& x) { return x[0] * torch::tensor(0.1, torch::kDouble); }},
      {"div", [](Any&, const Tensors& x) { return x[0] / x[1]; }},
      {"constant div", [](Any&, const Tensors& x) { return x[0] / 3; }},
      {"constant div", [](Any&, const Tensors& x) { return x[0].reciprocal(); }},
      {"mul", [](Any&, const Tensors& x) { return x[0].square(); }},
      {"mul", [](Any&, const Tensors& x) { return x[0].pow(2); }},
      {"mul mul", [](Any&, const Tensors& x) { return x[0].pow(3); }},
      {"minimum", [](Any&, const Tensors& x) { return torch::minimum(x[0], x[1]); }},
      {"maximum", [](Any&, const Tensors& x) { return torch::maximum(x[0], x[1]); }},
      {"neg", [](Any&, const Tensors& x) { return -x[0]; }},
      {"abs", [](Any&, const Tensors& x) { return x[0].abs(); }},
      {"clamp", [](Any&, const Tensors& x) { return x[0].clamp_min(0.5); }},
      {"clamp", [](Any&, const Tensors& x) { return x[0].clamp(c10::nullopt, 0.5); }},
      {"compare cast mul", [](Any&, const Tensors& x) { return x[0] * (x[0] > x[1]); }},
      {"constant compare", [](Any&, const Tensors& x) { return x[0] >= 0; }},
      {"compare constant where", [](Any&, const Tensors& x) { return x[0].masked_fill(x[0] < x[1], -1.0); }},
  };
  for (const Case& c : kCases) EXPECT_EQ(ops_of(c.forward, images), c.ops);
}

TEST_F(ReadOperators, OfShapes) {
  const Tensors images = {torch::randn({3, 4, 5, 6}), torch::randn({3, 4, 5, 6})};
  const Case kCases[] = {
      {"flatten", [](Any&, const Tensors& x) { return x[0].flatten(1); }},
      {"flatten",
       [](Any&, const Tensors& x) {
         return x[0].view({x[0].size(0), -1});
       }},
      {"reshape",
       [](Any&, const Tensors& x) {
         return x[0].reshape({-1, 2, 60});
       }},
      {"reshape", [](Any&, const Tensors& x) { return x[0].unsqueeze(1); }},
      {"reshape",
       [](Any&, const Tensors& x) {
         return x[0].unflatten(1, {2, 2});
       }},
      {"permute",
       [](Any&, const Tensors& x) {
         return x[0].permute({0, 2, 3, 1});
       }},
      {"permute", [](Any&, const Tensors& x) { return x[0].transpose(-1, -2); }},
      {"permute", [](Any&, const Tensors& x) { return x[0].movedim(1, 3); }},
      {"cat",
       [](Any&, const Tensors& x) {
         return torch::cat({x[0], x[1], x[0]}, 1);
       }},
      {"reshape reshape cat",
       [](Any&, const Tensors& x) {
         return torch::stack({x[0], x[1]}, -1);
       }},
      {"slice", [](Any&, const Tensors& x) { return x[0].slice(2, 1, -1); }},
      {"slice", [](Any&, const Tensors& x) { return x[0].slice(3, 0, 100, 2); }},
      {"slice reshape", [](Any&, const Tensors& x) { return x[0].select(1, -1); }},
      {"slice", [](Any&, const Tensors& x) { return x[0].narrow(3, 2, 3); }},
      {"slice slice sub", [](Any&, const Tensors& x) { return x[0].chunk(2, 1)[1] - x[0].chunk(2, 1)[0]; }},
      {"slice slice cat",
       [](Any&, const Tensors& x) {
         const auto parts = x[0].split_with_sizes({1, 2, 1}, 1);
         return torch::cat({parts[2], parts[0]}, 1);
       }},
      {"slice expand add", [](Any&, const Tensors& x) { return x[0].slice(1, 0, 1).expand_as(x[1]) + x[1]; }},
      {"pad",
       [](Any&, const Tensors& x) {
         return torch::constant_pad_nd(x[0], {1, 2, 0, 1}, 0.5);
       }},
      {"pad",
       [](Any&, const Tensors& x) {
         return torch::reflection_pad2d(x[0], {1, 2, 0, 1});
       }},
      {"pad",
       [](Any&, const Tensors& x) {
         return torch::replication_pad2d(x[0], {1, 2, 0, 1});
       }},
      {"avg_pool2d", [](Any&, const Tensors& x) { return torch::avg_pool2d(x[0], 3, 2, 1, true, false); }},
      {"upsample_nearest2d",
       [](Any&, const Tensors& x) {
         return torch::nn::functional::interpolate(x[0], torch::nn::functional::InterpolateFuncOptions()
                                                             .scale_factor(std::vector<double>{2, 2})
                                                             .mode(torch::kNearest));
       }},
      {"upsample_nearest2d",
       [](Any&, const Tensors& x) {
         return torch::nn::functional::interpolate(x[0], torch::nn::functional::InterpolateFuncOptions()
                                                             .size(std::vector<std::int64_t>{7, 9})
                                                             .mode(torch::kNearest));
       }},
  };
  for (const Case& c : kCases) EXPECT_EQ(ops_of(c.forward, images), c.ops);
}

Tensor product(const Tensor& a, const Tensor& b) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("samebits::matmul", "")
                             .typed<Tensor(const Tensor&, const Tensor&)>();
  return op.call(a, b);
}

TEST_F(ReadOperators, OfIndicesAndProducts) {
  const Tensors tokens = {torch::randint(0, 5, {3, 5}, torch::kLong)};
  const Tensors heads = {torch::randn({3, 2, 5, 8}), torch::randn({3, 2, 5, 8})};
  EXPECT_EQ(ops_of([](Any& model, const Tensors& x) { return torch::embedding(model.table, x[0]); }, tokens),
            "embedding");
  EXPECT_EQ(ops_of([](Any& model, const Tensors& x) { return model.table.index({x[0]}); }, tokens),
            "constant index_select");
  EXPECT_EQ(ops_of(
                [](Any&, const Tensors& x) {
                  return x[0].index_select(1, torch::tensor({4, 0, 0}));
                },
                tokens),
            "constant index_select");
  EXPECT_EQ(ops_of([](Any&, const Tensors& x) { return x[0].gather(1, x[0]); }, tokens), "gather");
  EXPECT_EQ(ops_of([](Any&, const Tensors& x) { return product(x[0], x[1].transpose(-1, -2)); }, heads),
            "permute matmul");
}

}  // namespace
}  // namespace samebits
