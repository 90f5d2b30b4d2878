// verify(): package, runtime and ONNX file give the bits of the training forward, or the difference is found
// and named.
#include "torch_ext/verify.h"

#include <fstream>
#include <map>
#include <memory>

#include "graph/ops/layers/conv2d.h"
#include "graph/ops/layers/linear.h"
#include "graph/package.h"
#include "runtime/interpreter.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/graph/replay.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;
using torch::Tensor;

class Verify : public ModelTest {};

std::vector<Tensor> batches_of(const std::vector<std::int64_t>& sizes, std::vector<std::int64_t> shape) {
  std::vector<Tensor> batches;
  for (const std::int64_t n : sizes) {
    shape[0] = n;
    batches.push_back(torch::randn(shape) * 2);  // beyond what was observed: some clips
  }
  return batches;
}

std::vector<QConfig> configs() {
  QConfig affine = QConfig::preset("int8"), narrow = QConfig::preset("int8"), w4a8 = QConfig::preset("w4a8");
  affine.defaults.weight.bits = 5;
  affine.defaults.weight.symmetric = false;
  narrow.defaults.weight.bits = 2;
  narrow.defaults.weight.granularity = Granularity::kPerTensor;
  narrow.defaults.activation.bits = 4;
  narrow.defaults.activation.symmetric = true;
  return {QConfig::preset("int8"), w4a8, affine, narrow};
}

TEST_F(Verify, FindsNoDifferenceBetweenThePackageAndTheTrainingForward) {
  for (const QConfig& config : configs()) {
    SCOPED_TRACE(scheme_text(config.defaults.weight));
    Cnn cnn;
    Mlp mlp;
    freeze(cnn, {1, 2, 8, 8}, config);
    freeze(mlp, {1, 12}, config);
    convert(cnn, torch::randn({1, 2, 8, 8})).save(folder_ / "cnn.samebits");
    convert(mlp, torch::randn({5, 12})).save(folder_ / "mlp.samebits");
    const VerifyReport report =
        verify(cnn, folder_ / "cnn.samebits", batches_of({1, 7, 64, 0}, {0, 2, 8, 8}));
    EXPECT_EQ(report.text(), "cnn.samebits: 0 of 360 logits differ (72 images)");
    EXPECT_EQ(report.other_decisions, 0);
    EXPECT_EQ(report.first_difference, "");
    EXPECT_EQ(verify(mlp, folder_ / "mlp.samebits", batches_of({400}, {0, 12})).text(),
              "mlp.samebits: 0 of 1,200 logits differ (400 images)");
  }
}

TEST_F(Verify, FindsNoDifferenceAfterTrainingOnIntegers) {
  Cnn model;
  Prepared prepared = prepare(model, QConfig(), torch::randn({1, 2, 8, 8}), /*observe_steps=*/2);
  torch::optim::SGD optimizer(model.parameters(), 0.01);
  for (const Tensor& batch : batches_of({8, 8, 8, 8, 8}, {0, 2, 8, 8})) {
    optimizer.zero_grad();
    model.forward(batch).square().mean().backward();
    optimizer.step();
  }
  EXPECT_EQ(prepared.state(), QuantizerState::kQuantizing);  // eval mode moves nothing: exportable as it is
  convert(model, torch::randn({1, 2, 8, 8})).save(folder_ / "cnn.samebits");
  EXPECT_EQ(verify(model, folder_ / "cnn.samebits", batches_of({33}, {0, 2, 8, 8})).differing, 0);
  EXPECT_TRUE(model.is_training());
}

TEST_F(Verify, SaysHowManyLogitsDifferAndWhichNodeIsTheFirst) {
  Cnn model;
  freeze(model, {1, 2, 8, 8});
  const graph::Graph right = convert(model, torch::randn({1, 2, 8, 8})).graph();
  for (const auto& [index, name] : {std::pair(0, "conv1"), std::pair(3, "conv2"), std::pair(8, "fc")}) {
    graph::Graph wrong = right;
    graph::Node& node = wrong.nodes[static_cast<std::size_t>(index)];
    std::int8_t& code =
        (graph::is_a<graph::Linear>(node) ? node.as<graph::Linear>().weight : node.as<graph::Conv2d>().weight)
            .codes[4];
    code = static_cast<std::int8_t>(code > 0 ? code - 100 : code + 100);
    graph::save_package(wrong, folder_ / "wrong.samebits");
    const VerifyReport report = verify(model, folder_ / "wrong.samebits", batches_of({20, 20}, {0, 2, 8, 8}));
    EXPECT_GT(report.differing, 0) << name;
    EXPECT_EQ(report.images, 40);
    EXPECT_EQ(report.logits, 200);
    EXPECT_THAT(report.text(),
                testing::MatchesRegex(
                    "wrong.samebits: [0-9]+ of 200 logits differ \\(40 images\\); first at image [0-9]+, "
                    "logit [0-9]: expected -?[0-9.e-]+, got -?[0-9.e-]+; node " +
                    std::to_string(index + 1) + " \\(" + name +
                    "\\) is the first to differ, in [0-9]+ of [0-9]+ elements"));
  }
}

TEST_F(Verify, CountsImagesWhoseLargestLogitIsAnother) {
  Mlp model;
  freeze(model, {1, 12});
  graph::Graph wrong = convert(model, torch::randn({1, 12})).graph();
  std::vector<float>& bias = wrong.nodes[2].as<graph::Linear>().bias;
  for (float& each : bias) each = 0;
  bias[1] = 1000;
  graph::save_package(wrong, folder_ / "wrong.samebits");
  const auto batches = batches_of({50}, {0, 12});
  model.eval();
  const std::int64_t others = (model.forward(batches[0]).argmax(1) != 1).sum().item<std::int64_t>();
  EXPECT_EQ(verify(model, folder_ / "wrong.samebits", batches).other_decisions, others);
  EXPECT_GT(others, 0);
}

TEST_F(Verify, RefusesAPackageOfAnotherModelAndAMissingOne) {
  Mlp model;
  freeze(model, {1, 12});
  Free other([](Free& m, const Tensor& x) { return m.fc(x); });
  freeze(other, {1, 12});
  const fs::path path = folder_ / "other.samebits";
  convert(other, torch::randn({1, 12})).save(path);
  EXPECT_EQ(error_of([&] {
              verify(model, path, {torch::randn({2, 12})});
            }),
            "[verify] " + path.string() + ": expected logits of shape [2, 3], got [2, 12]");
  EXPECT_THAT(error_of([&] {
                verify(model, folder_ / "none.samebits", {torch::randn({2, 12})});
              }),
              testing::HasSubstr("none.samebits"));
}

TEST_F(Verify, FindsNoDifferenceInAnOnnxFileThatOnnxruntimeRuns) {
  Cnn model;
  freeze(model, {1, 2, 8, 8}, QConfig::preset("w4a8"));
  const fs::path path = folder_ / "cnn.onnx";
  const QuantizedModel quantized = convert(model, torch::randn({1, 2, 8, 8}));
  quantized.export_onnx(path);
  const auto batches = batches_of({1, 30}, {0, 2, 8, 8});
  try {
    EXPECT_EQ(verify(model, path, batches).text(), "cnn.onnx: 0 of 155 logits differ (31 images)");
  } catch (const MissingDependency& missing) {
    GTEST_SKIP() << missing.what();
  }
  graph::Graph wrong = quantized.graph();
  wrong.nodes[0].as<graph::Conv2d>().bias[0] += 1;
  QuantizedModel(wrong).export_onnx(path);
  const VerifyReport report = verify(model, path, batches);
  EXPECT_GT(report.differing, 0);
  EXPECT_THAT(report.text(), testing::StartsWith("cnn.onnx: "));
}

TEST_F(Verify, SaysHowFarAQdqFileIsWhichPromisesNoBits) {
  Cnn model;
  freeze(model, {1, 2, 8, 8});
  const fs::path path = folder_ / "cnn.onnx";
  const QuantizedModel quantized = convert(model, torch::randn({1, 2, 8, 8}));
  quantized.export_onnx(path, OnnxStyle::kQdq);
  const auto batches = batches_of({20, 1, 30}, {0, 2, 8, 8});
  VerifyReport report;
  try {
    report = verify(model, path, batches);
  } catch (const MissingDependency& missing) {
    GTEST_SKIP() << missing.what();
  }
  std::map<std::string, std::int64_t> elements = {{quantized.graph().inputs[0].name, batches[0].numel()}};
  runtime::Interpreter interpreter(quantized.graph());
  interpreter.on_node = [&](const graph::Node& node, const runtime::Array& y) {
    elements[node.outputs[0]] = static_cast<std::int64_t>(y.values.size());
  };
  interpreter.run(arrays_of({batches[0]}));
  std::int64_t codes = 0;  // of the first batch
  for (const graph::Node& node : quantized.graph().nodes)
    if (graph::is_layer(node)) codes += elements.at(node.inputs[0]);
  EXPECT_FALSE(report.promises_bits);
  EXPECT_EQ(report.differing, 0);
  EXPECT_EQ(report.images, 51);
  EXPECT_EQ(report.codes, codes);
  EXPECT_LE(report.largest_code_difference, 1);
  EXPECT_LT(report.differing_codes, codes / 100);
  EXPECT_LT(report.largest_difference, 0.1f);
  EXPECT_THAT(report.text(), testing::StartsWith("cnn.onnx: promises no bits; "));
  graph::Graph wrong = quantized.graph();
  wrong.nodes[0].as<graph::Conv2d>().bias[0] += 1;
  QuantizedModel(wrong).export_onnx(path, OnnxStyle::kQdq);
  report = verify(model, path, batches);
  EXPECT_GT(report.largest_code_difference, 1);
  EXPECT_GT(report.differing_float, 0);
}

TEST_F(Verify, SaysWhatIsMissingWhenThereIsNoPythonToRunOnnx) {
  Mlp model;
  freeze(model, {1, 12});
  convert(model, torch::randn({1, 12})).export_onnx(folder_ / "mlp.onnx");
  const char* before = std::getenv("SAMEBITS_PYTHON");
  const std::string restored = before == nullptr ? "" : before;
  setenv("SAMEBITS_PYTHON", "/nowhere/python", 1);
  EXPECT_THROW(verify(model, folder_ / "mlp.onnx", {torch::randn({1, 12})}), MissingDependency);
  EXPECT_EQ(error_of([&] {
              verify(model, folder_ / "mlp.onnx", {torch::randn({1, 12})});
            }),
            "[onnx] /nowhere/python: expected a Python with onnxruntime, got: No such file or directory; set "
            "SAMEBITS_PYTHON");
  before == nullptr ? unsetenv("SAMEBITS_PYTHON") : setenv("SAMEBITS_PYTHON", restored.c_str(), 1);
}

TEST_F(Verify, CountsWhatAnOnnxEngineMakesOfFloatLayersApart) {
  struct Deep : torch::nn::Module {
    QATLinear first{QATLinearOptions(300, 700)}, middle{QATLinearOptions(700, 700)},
        last{QATLinearOptions(700, 10)};
    Deep() {
      register_module("first", first);
      register_module("middle", middle);
      register_module("last", last);
    }
    Tensor forward(const Tensor& x) { return last(torch::relu(middle(torch::relu(first(x))))); }
  } model;
  QConfig config;
  LayerConfig skip;
  skip.skip = true;
  config.layers.emplace_back("first", skip);
  config.layers.emplace_back("last", skip);
  freeze(model, {1, 300}, config);
  const QuantizedModel quantized = convert(model, torch::randn({3, 300}));
  quantized.export_onnx(folder_ / "net.onnx");
  const auto batches = batches_of({40}, {0, 300});
  VerifyReport report;
  try {
    report = verify(model, folder_ / "net.onnx", batches);
  } catch (const MissingDependency& missing) {
    GTEST_SKIP() << missing.what();
  }
  EXPECT_EQ(report.differing, 0);
  EXPECT_GT(report.differing_float, 0);  // onnxruntime splits sums of 700
  EXPECT_EQ(report.first_difference, "");
  EXPECT_THAT(
      report.text(),
      testing::MatchesRegex("net.onnx: 0 of 400 logits differ \\(40 images\\), [0-9]+ more by how the engine "
                            "sums float layers"));
  graph::Graph wrong = quantized.graph();
  wrong.nodes[2].as<graph::Linear>().weight.codes[7] ^= 64;
  QuantizedModel(wrong).export_onnx(folder_ / "wrong.onnx");
  EXPECT_GT(verify(model, folder_ / "wrong.onnx", batches).differing, 0);
}

TEST_F(Verify, ImportsNothingFromTheFolderThatItRunsIn) {
  Mlp model;
  freeze(model, {1, 12});
  convert(model, torch::randn({1, 12})).export_onnx(folder_ / "mlp.onnx");
  std::ofstream(folder_ / "numpy.py") << "raise SystemExit('foreign numpy')";
  std::ofstream(folder_ / "onnxruntime.py") << "raise SystemExit('foreign onnxruntime')";
  const fs::path before = fs::current_path();
  fs::current_path(folder_);
  const auto finally = std::unique_ptr<const fs::path, void (*)(const fs::path*)>(
      &before, [](const fs::path* path) { fs::current_path(*path); });
  try {
    EXPECT_EQ(verify(model, "mlp.onnx", {torch::randn({2, 12})}).differing, 0);
  } catch (const MissingDependency& missing) {
    GTEST_SKIP() << missing.what();
  }
}

/// y = fc1(a) + fc2(b)
struct TwoInputs : torch::nn::Module {
  QATLinear fc1{QATLinearOptions(12, 5)}, fc2{QATLinearOptions(6, 5)};
  TwoInputs() {
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  Tensor forward(const Tensor& a, const Tensor& b) {
    const Tensor y = fc1(a);  // C++ would begin with either
    return y + fc2(b);
  }
};

TEST_F(Verify, ReplaysTheInputsOfAModelInTheirOrder) {
  TwoInputs model;
  const auto batch = [](std::int64_t n) { return Tensors{torch::randn({n, 12}), torch::randn({n, 6})}; };
  Prepared prepared = prepare(model, QConfig(), batch(3));
  for (int i = 0; i < 3; ++i) model.forward(torch::randn({8, 12}), torch::randn({8, 6}));
  prepared.freeze();
  const QuantizedModel quantized = convert(model, batch(3));
  quantized.save(folder_ / "two.samebits");
  quantized.export_onnx(folder_ / "two.onnx");
  const std::vector<Tensors> batches = {batch(7), batch(2)};
  EXPECT_EQ(verify(model, folder_ / "two.samebits", batches).text(),
            "two.samebits: 0 of 45 logits differ (9 images)");
  graph::Graph wrong = quantized.graph();
  wrong.nodes[1].as<graph::Linear>().bias[4] += 1;
  graph::save_package(wrong, folder_ / "wrong.samebits");
  EXPECT_THAT(verify(model, folder_ / "wrong.samebits", batches).text(),
              testing::HasSubstr("node 2 (fc2) is the first to differ, in 7 of 35 elements"));
  try {
    EXPECT_EQ(verify(model, folder_ / "two.onnx", batches).text(),
              "two.onnx: 0 of 45 logits differ (9 images)");
  } catch (const MissingDependency& missing) {
    GTEST_SKIP() << missing.what();
  }
}

TEST_F(Verify, RefusesAModelOfOtherResults) {
  Mlp model;
  freeze(model, {1, 12});
  convert(model, torch::randn({1, 12})).save(folder_ / "mlp.samebits");
  const ModelRef places{model, [&](const Tensors& x) { return Tensors{model.forward(x[0]).argmax(1)}; }};
  EXPECT_EQ(error_of([&] {
              verify(places, folder_ / "mlp.samebits", {torch::randn({2, 12})});
            }),
            "[verify] model: expected one float32 result, got 1 of Long");
}

TEST(Arrays, KeepDtypeShapeAndBits) {
  for (const Tensor& x : {torch::randn({2, 3}), torch::arange(-3, 3).reshape({3, 1, 2}),
                          torch::tensor({true, false, true}), torch::zeros({0, 4}), torch::tensor(2.5f)}) {
    SCOPED_TRACE(c10::str(x.scalar_type(), " ", x.sizes()));
    const Tensor back = tensor_of(array_of(x));
    EXPECT_EQ(back.scalar_type(), x.scalar_type());
    EXPECT_TRUE(back.sizes() == x.sizes() && torch::equal(back, x));
    EXPECT_TRUE(array_of(x) == array_of(back));
  }
  EXPECT_EQ(error_of([] { array_of(torch::zeros({1}, torch::kDouble)); }),
            "[runtime] x: expected float32, int64 or bool on the CPU, got Double on cpu");
}

TEST_F(Verify, ReadsNothingPastASmallerLayerOfAPackage) {
  Mlp model;
  freeze(model, {1, 12});
  graph::Graph wrong = convert(model, torch::randn({1, 12})).graph();
  auto& fc1 = wrong.nodes[0].as<graph::Linear>();
  auto& fc2 = wrong.nodes[2].as<graph::Linear>();
  fc1.weight.shape[0] = fc2.weight.shape[1] = 2;  // of 16
  fc1.weight.codes.resize(2 * 12);
  fc1.weight.scale.resize(2);
  fc1.bias.resize(2);
  fc2.weight.codes.resize(3 * 2);
  graph::save_package(wrong, folder_ / "small.samebits");
  EXPECT_THAT(verify(model, folder_ / "small.samebits", batches_of({20}, {0, 12})).text(),
              testing::HasSubstr("node 1 (fc1) is the first to differ, with [20, 2] instead of [20, 16]"));
}

TEST_F(Verify, TheRuntimeAloneGivesTheBitsOfTheTrainingForward) {
  Cnn model;
  freeze(model, {1, 2, 8, 8});
  convert(model, torch::randn({1, 2, 8, 8})).save(folder_ / "cnn.samebits");
  const Tensor x = torch::randn({9, 2, 8, 8});
  model.eval();
  const Tensor expected = model.forward(x);
  for (const int threads : {1, 3}) {
    runtime::Interpreter interpreter(graph::load_package(folder_ / "cnn.samebits"), threads);
    const runtime::Array y = interpreter.run(
        {x.sizes().vec(), {x.const_data_ptr<float>(), x.const_data_ptr<float>() + x.numel()}});
    EXPECT_EQ(y.shape, expected.sizes().vec());
    EXPECT_TRUE(same_bits(torch::tensor(y.values).reshape(y.shape), expected));
  }
}

}  // namespace
}  // namespace samebits
