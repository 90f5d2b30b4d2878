// Writes what tests/python/test_export_onnx.py runs: random graphs of every op and quantization scheme, each
// as NAME.onnx and as NAME.safetensors with an input "x" and the output "y" that the oracle expects of it, and
// as qdq/NAME.onnx in the style that promises no bits.
//   export_onnx_cases FOLDER
#include <bit>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iostream>

#include "export/onnx/export_onnx.h"
#include "io/safetensors.h"
#include "tests/export/random_graph.h"

namespace samebits {
namespace {

using graph::AvgPool2d;
using graph::Conv2d;
using graph::FloatTensor;
using graph::MaxPool2d;

constexpr std::uint64_t kSeed = 20240521;

template <class T>
io::TensorData tensor(const char* dtype, const FloatTensor& array) {
  const std::vector<T> values(array.values.begin(), array.values.end());
  io::TensorData data{dtype, array.shape, {}};
  data.bytes.resize(values.size() * sizeof(T));
  if (!values.empty()) std::memcpy(data.bytes.data(), values.data(), data.bytes.size());
  return data;
}
/// The oracle has integers and bools as floats.
io::TensorData tensor(const FloatTensor& array, graph::Dtype dtype = graph::Dtype::kFloat32) {
  if (dtype == graph::Dtype::kInt64) return tensor<std::int64_t>("I64", array);
  if (dtype == graph::Dtype::kBool) return tensor<std::uint8_t>("BOOL", array);
  return tensor<float>("F32", array);
}

class Cases {
 public:
  explicit Cases(std::filesystem::path folder) : folder_(std::move(folder)) {}

  GraphBuilder begin(const std::string& name, const graph::Sizes& image_shape) {
    return GraphBuilder(name, kSeed + static_cast<std::uint64_t>(count_), image_shape);
  }

  void end(GraphBuilder& builder, std::int64_t batch = 5) {
    end(builder, random_input(builder.random, builder.graph, batch));
  }

  void end(const GraphBuilder& builder, const FloatTensor& x) { end(builder.graph, {x}); }

  void end(const graph::Graph& graph, const oracle::Tensors& inputs) {
    const std::filesystem::path stem = folder_ / graph.name;
    export_onnx(graph, stem.string() + ".onnx");
    export_onnx(graph, folder_ / "qdq" / (graph.name + ".onnx"), OnnxStyle::kQdq);
    io::SafetensorsFile file;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      file.tensors[graph.inputs[i].name] = tensor(inputs[i], graph.inputs[i].type.dtype);
    file.tensors["y"] =
        tensor(oracle::run(graph, inputs).at(graph.outputs[0]), checked_types(graph).back().dtype);
    io::write_safetensors(stem.string() + ".safetensors", file);
    ++count_;
  }

  int count() const { return count_; }

 private:
  std::filesystem::path folder_;
  int count_ = 0;
};

void linear_case(Cases& cases, const std::string& name, const Scheme& scheme, std::int64_t in,
                 std::int64_t out) {
  GraphBuilder builder = cases.begin("linear_" + name, {in});
  builder.add_linear(scheme, {out, in});
  cases.end(builder);
}

void linear_schemes(Cases& cases) {
  for (int bits = 2; bits <= 8; ++bits) {
    for (const bool is_affine : {false, true}) {
      if (is_affine && bits == 8) continue;
      for (const auto& [text, granularity] : {std::pair{"tensor", Granularity::kPerTensor},
                                              {"channel", Granularity::kPerChannel},
                                              {"group", Granularity::kPerGroup}}) {
        const Scheme scheme{.weight_bits = bits,
                            .granularity = granularity,
                            .group_size = 16,
                            .is_affine = is_affine,
                            .is_narrow = bits % 2 == 0};
        const std::string name =
            std::string(text) + (is_affine ? "_affine_" : "_symmetric_") + std::to_string(bits);
        linear_case(cases, name + "_bits", scheme, 77, 19);
      }
    }
  }
}

void linear_shapes(Cases& cases) {
  const Scheme group{.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 32};
  linear_case(cases, "one_by_one", {}, 1, 1);
  linear_case(cases, "deep", {}, 3072, 33);
  linear_case(cases, "without_bias", {.has_bias = false}, 40, 7);
  linear_case(cases, "group_covers_all", group, 20, 6);
  linear_case(cases, "many_groups", group, 1000, 24);
  linear_case(cases, "group_without_bias",
              {.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 32, .has_bias = false},
              65, 6);
  linear_case(cases, "smallest_code", {.is_narrow = false}, 130, 12);
  for (const auto& [qmin, qmax] : {std::pair{-8, 7}, {0, 15}, {-127, 127}, {-128, 0}, {100, 127}, {-2, 1}}) {
    Scheme scheme{.x_qmin = qmin, .x_qmax = qmax};
    linear_case(cases, "input_" + std::to_string(qmin) + "_to_" + std::to_string(qmax), scheme, 96, 17);
  }
  GraphBuilder tokens = cases.begin("linear_of_tokens", {7, 24});
  tokens.add_linear(group, {10, 24});
  cases.end(tokens);
  GraphBuilder empty = cases.begin("linear_of_no_images", {24});
  empty.add_linear({}, {10, 24});
  cases.end(empty, 0);
}

/// Terms whose product underflows to -0: adding a bias of 0 makes it +0, and optimizers must not undo that.
void underflow_case(Cases& cases, const std::string& name, float bias) {
  GraphBuilder builder = cases.begin("linear_" + name, {3});
  builder.add_linear({}, {1, 3});
  graph::Linear& linear = builder.linear();
  linear.input_grid.scale = linear.weight.scale[0] = 0x1p-100f;
  linear.input_grid.zero_point = 0;
  linear.weight.codes = {1, 1, 1};
  linear.bias = {bias};
  builder.add(graph::Flatten{});
  cases.end(builder, FloatTensor{{2, 3}, {-0x1p-99f, -0x1p-99f, 0, 0x1p-99f, 0, 0}});
}

void conv2d_case(Cases& cases, const std::string& name, const Scheme& scheme, const Conv2d& window,
                 const graph::Sizes& weight_shape, std::int64_t height = 11, std::int64_t width = 13) {
  GraphBuilder builder = cases.begin("conv2d_" + name, {weight_shape[1] * window.groups, height, width});
  builder.add_conv2d(scheme, weight_shape, window);
  cases.end(builder, 2);
}

void convolutions(Cases& cases) {
  for (int bits = 2; bits <= 8; ++bits) {
    const Granularity granularity = bits % 2 == 0 ? Granularity::kPerTensor : Granularity::kPerChannel;
    const Scheme scheme{
        .weight_bits = bits, .granularity = granularity, .is_affine = bits < 8, .is_narrow = false};
    conv2d_case(cases, std::to_string(bits) + "_bits", scheme, {.padding = {1, 1}}, {9, 5, 3, 3});
  }
  conv2d_case(cases, "stride", {}, {.stride = {2, 3}}, {4, 3, 3, 3});
  conv2d_case(cases, "padding", {}, {.padding = {3, 1}}, {4, 3, 5, 2});
  conv2d_case(cases, "dilation", {}, {.padding = {2, 2}, .dilation = {2, 3}}, {4, 3, 3, 3});
  conv2d_case(cases, "groups", {}, {.padding = {1, 1}, .groups = 3}, {6, 2, 3, 3});
  conv2d_case(cases, "depthwise", {}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 8}, {8, 1, 3, 3});
  conv2d_case(cases, "pointwise", {.has_bias = false}, {}, {16, 12, 1, 1});
  conv2d_case(cases, "one_channel", {.granularity = Granularity::kPerTensor}, {}, {1, 1, 3, 3});
  conv2d_case(cases, "one_pixel", {}, {}, {5, 4, 3, 3}, 3, 3);
  conv2d_case(cases, "narrow_input", {.x_qmin = -8, .x_qmax = 7}, {.padding = {1, 1}}, {6, 4, 3, 3});
  conv2d_case(cases, "positive_input", {.x_qmin = 0, .x_qmax = 127}, {.padding = {1, 1}}, {6, 4, 3, 3});
  conv2d_case(cases, "wide", {}, {.padding = {1, 1}}, {32, 64, 3, 3});
}

template <class Pool>
void pool_case(Cases& cases, const std::string& name, const Pool& pool) {
  GraphBuilder builder = cases.begin(Pool::kName + std::string("_") + name, {3, 9, 12});
  builder.add(pool);
  builder.add(graph::Flatten{2});
  cases.end(builder, 2);
}

template <class Pool>
void pools(Cases& cases) {
  pool_case(cases, "2x2", Pool{.kernel = {2, 2}, .stride = {2, 2}});
  pool_case(cases, "overlapping", Pool{.kernel = {3, 2}, .stride = {1, 1}});
  pool_case(cases, "padded", Pool{.kernel = {3, 4}, .stride = {2, 3}, .padding = {1, 2}});
  pool_case(cases, "gaps", Pool{.kernel = {1, 1}, .stride = {3, 2}});
  pool_case(cases, "global", Pool{.kernel = {9, 12}, .stride = {9, 12}});
}

void pools(Cases& cases) {
  pools<MaxPool2d>(cases);
  pools<AvgPool2d>(cases);
  pool_case(cases, "dilated", MaxPool2d{{3, 2}, {2, 1}, {1, 1}, {2, 3}});
  for (std::int64_t stride = 1; stride <= 5; ++stride)
    for (std::int64_t padding = 0; padding <= 1; ++padding)
      pool_case(cases, "ceil_" + std::to_string(stride) + std::to_string(padding),
                MaxPool2d{{2, 3}, {stride, stride}, {padding, padding}, {1, 1}, true});
  GraphBuilder zeros = cases.begin("avg_pool2d_of_negative_zeros", {1, 2, 2});
  zeros.add(AvgPool2d{.kernel = {2, 2}, .stride = {2, 2}});
  zeros.add(graph::Flatten{});
  cases.end(zeros, FloatTensor{{2, 1, 2, 2}, {-0.0f, -0.0f, -0.0f, -0.0f, -0x1p-149f, 0, 0, 0}});
}

void float_ops(Cases& cases) {
  GraphBuilder relu = cases.begin("relu", {37});
  relu.add(graph::Relu{});
  FloatTensor x = random_input(relu.random, relu.graph, 3);
  x.values[0] = -0.0f;
  cases.end(relu, x);
  GraphBuilder add = cases.begin("add", {5, 4});
  add.add(graph::Add{}, add.add(graph::Relu{}));
  add.add(graph::Add{}, "x");
  cases.end(add);
  for (std::int64_t start_dim = 1; start_dim <= 3; ++start_dim) {
    GraphBuilder flatten = cases.begin("flatten_from_" + std::to_string(start_dim), {2, 3, 4});
    flatten.add(graph::Flatten{start_dim});
    cases.end(flatten);
  }
}

void networks(Cases& cases) {
  const Scheme int8{},
      int4{.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 32, .is_affine = true};
  GraphBuilder cnn = cases.begin("network_cnn", {1, 28, 28});
  cnn.add_conv2d(int8, {8, 1, 3, 3}, {.padding = {1, 1}});
  cnn.add(graph::Relu{});
  cnn.add(MaxPool2d{{2, 2}, {2, 2}});
  cnn.add_conv2d(int8, {16, 8, 3, 3}, {.padding = {1, 1}});
  cnn.add(graph::Relu{});
  cnn.add(AvgPool2d{{2, 2}, {2, 2}});
  cnn.add(graph::Flatten{});
  cnn.add_linear(int4, {40, 16 * 7 * 7});
  cnn.add(graph::Relu{});
  cnn.add_linear(int8, {10, 40});
  cases.end(cnn, 20);
  GraphBuilder residual = cases.begin("network_residual", {6, 8, 8});
  const std::string skipped = residual.add_conv2d(int8, {6, 6, 1, 1});
  residual.add(graph::Relu{});
  residual.add_conv2d({.weight_bits = 4}, {6, 3, 3, 3}, {.padding = {1, 1}, .groups = 2});
  residual.add(graph::Add{}, skipped);
  residual.add(graph::Relu{});
  residual.add(AvgPool2d{{8, 8}, {8, 8}});
  residual.add(graph::Flatten{});
  residual.add_linear(int8, {1, 6});
  cases.end(residual, 9);
  GraphBuilder normed = cases.begin("network_batch_norms", {3, 9, 9});
  const auto with_factors = [&](std::vector<float>& factors, std::int64_t channels) {
    for (std::int64_t c = 0; c < channels; ++c)
      factors.push_back(normed.random.real(0.5f, 2.0f) * (c % 2 == 0 ? 1.0f : -1.0f));
  };
  normed.add_conv2d({.weight_bits = 4, .is_narrow = false}, {8, 3, 3, 3});
  with_factors(normed.graph.nodes.back().as<Conv2d>().channel_scale, 8);
  normed.add(graph::Clamp{0.0f, 6.0f});
  normed.add_conv2d({.weight_bits = 7, .is_affine = true}, {4, 8, 3, 3}, {.stride = {2, 2}});
  with_factors(normed.graph.nodes.back().as<Conv2d>().channel_scale, 4);
  normed.add(graph::Flatten{});
  normed.add_linear({}, {5, 4 * 3 * 3});
  with_factors(normed.linear().channel_scale, 5);
  cases.end(normed, 9);
}

/// The cases of tests/graph/op_cases.h, each as "op_NUMBER", or as "float_op_NUMBER" where engines compute an
/// operator their own way.
void operators(Cases& cases) {
  std::mt19937 random(kSeed);
  for (const graph::OpRow& row : graph::op_rows())
    for (std::size_t i = 0; i < row.cases.size(); ++i) {
      const graph::OpCase& c = row.cases[i];
      const std::string name =
          (row.is_exact_in_onnx ? "op_" : "float_op_") + std::string(row.op) + "_" + std::to_string(i);
      GraphBuilder builder = cases.begin(name, {});
      builder.graph = graph_of(row, c);
      builder.graph.name = name;
      if (c.inputs.size() == 1 && c.kinds.empty()) {
        cases.end(builder);
        continue;
      }
      oracle::Tensors inputs;
      for (std::size_t input = 0; input < c.inputs.size(); ++input)
        inputs.push_back(values_for(builder.graph.inputs[input], kind_of(c, input).limit, 5, random));
      cases.end(builder.graph, inputs);
    }
}

int write_cases(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder / "qdq");
  Cases cases(folder);
  linear_schemes(cases);
  linear_shapes(cases);
  underflow_case(cases, "underflow_with_bias_zero", 0.0f);
  underflow_case(cases, "underflow_with_bias_negative_zero", -0.0f);
  convolutions(cases);
  pools(cases);
  float_ops(cases);
  networks(cases);
  operators(cases);
  return cases.count();
}

}  // namespace
}  // namespace samebits

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: export_onnx_cases FOLDER\n";
    return 2;
  }
  try {
    std::cout << samebits::write_cases(argv[1]) << " cases\n";
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
