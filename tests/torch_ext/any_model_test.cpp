// Models that know nothing of this library, whole: captured without an edit they compute their own bits,
// train on integers, and what ships computes the bits of the trained graph, at any batch and on any number of
// threads. Run for each instruction set.
#include "tests/kernels/kernel_test.h"
#include "tests/torch_ext/float_models.h"
#include "tests/torch_ext/models.h"
#include "tests/torch_ext/runs.h"
#include "torch_ext/capture.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using float_models::Case;
using torch::Tensor;

class AnyModel : public kernels::KernelTest, public testing::WithParamInterface<std::size_t> {
 protected:
  void SetUp() override {
    torch::manual_seed(3);
    KernelTest::SetUp();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  GraphModule captured(torch::nn::Module& model) const {
    const ModelRef ref{model, [&](const Tensors& in) { return Tensors{c.forward(model, in[0])}; }};
    return capture(ref, {c.batch(3)});
  }
  const Case c = float_models::all()[GetParam()];
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("samebits_any_model_test_" + std::to_string(getpid()));
};
INSTANTIATE_TEST_SUITE_P(Models, AnyModel, testing::Range<std::size_t>(0, 6),
                         [](const auto& info) { return float_models::all()[info.param].name; });

TEST_P(AnyModel, TakesTheModelsOwnStepWhileItIsFloat) {
  const auto model = c.make();
  GraphModule graph = captured(*model);
  const Tensor x = c.batch(5);
  const auto step = [&](const auto& forward) {
    torch::manual_seed(6);
    const Tensor y = forward();
    std::vector<Tensor> all = torch::autograd::grad({y.square().mean()}, model->parameters(), {},
                                                    std::nullopt, false, /*allow_unused=*/true);
    all.push_back(y.detach());
    return all;
  };
  model->train();
  graph->train();
  const auto want = step([&] { return c.forward(*model, x); }), got = step([&] { return graph->forward(x); });
  ASSERT_EQ(want.size(), got.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    EXPECT_TRUE(want[i].defined() == got[i].defined() && (!want[i].defined() || same_bits(want[i], got[i])))
        << (i + 1 == want.size() ? "output" : model->named_parameters().keys()[i]);
}

TEST_P(AnyModel, ShipsTheBitsThatItTrainedOn) {
  for (const char* preset : {"int8", "w4a8"}) {
    SCOPED_TRACE(preset);
    const auto model = c.make();
    GraphModule graph = captured(*model);
    Prepared prepared = prepare(graph, QConfig::preset(preset), Tensors{c.batch(3)}, {.observe_steps = 2});
    EXPECT_TRUE(prepared.unshippable().empty()) << prepared.report();
    train_steps(graph, 5, 0.01, [&] { return Tensors{c.batch(6)}; });
    ASSERT_EQ(prepared.state(), QuantizerState::kQuantizing);
    prepared.freeze();
    const QuantizedModel quantized = convert(graph, c.batch(3));
    for (const std::int64_t n : {1, 2, 5, 17})
      for (const int threads : {1, 2, 3})
        EXPECT_EQ(differing(graph, quantized, {c.batch(n)}, threads), 0)
            << "batch of " << n << ", " << threads << " threads";
    quantized.save(folder_ / "net.samebits");
    EXPECT_EQ(verify(graph, folder_ / "net.samebits", {c.batch(9), c.batch(4)}).differing, 0);
    quantized.export_onnx(folder_ / "net.onnx");
    EXPECT_TRUE(std::filesystem::exists(folder_ / "net.onnx"));
  }
}

}  // namespace
}  // namespace samebits
