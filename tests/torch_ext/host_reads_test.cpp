// A training step reads nothing back to the host: not by item() on the CPU, where a look is free, and not at
// all where flags are kept for one read a step, as on a device. Flags name the layer, and stop a step before
// the optimizer.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>

#include <atomic>

#include "tests/torch_ext/models.h"
#include "torch_ext/prepare.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

using torch::Tensor;

std::atomic<int> host_reads = 0;

/// Counts the operators through which a value comes back to the host while it lives.
class HostReads {
 public:
  HostReads() {
    host_reads = 0;
    const auto count = [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
      const std::string name = function.name();
      if (name == "aten::item" || name == "aten::_local_scalar_dense" || name == "aten::is_nonzero" ||
          name == "aten::equal")
        ++host_reads;
      return nullptr;
    };
    handle_ =
        at::addThreadLocalCallback(at::RecordFunctionCallback(count).scopes({at::RecordScope::FUNCTION}));
  }
  ~HostReads() { at::removeCallback(handle_); }
  int count() const { return host_reads; }

 private:
  at::CallbackHandle handle_;
};

QConfig config_of(EstimatorKind estimator) {
  QConfig config = QConfig::preset("int8");
  config.defaults.estimator = estimator;
  return config;
}

/// conv2d, pool, two linear layers, quantizing.
struct Trained {
  Cnn model;
  Prepared prepared;
  torch::optim::SGD optimizer{model.parameters(), torch::optim::SGDOptions(0.01).momentum(0.9)};
  Tensor x = torch::randn({6, 2, 8, 8});

  explicit Trained(EstimatorKind estimator = EstimatorKind::kSte)
      : prepared(prepare(model, config_of(estimator), torch::randn({2, 2, 8, 8}), 1)) {
    model.train();
    model.forward(x);
    prepared.quantize();
  }
  void step() {
    optimizer.zero_grad();
    model.forward(x).square().mean().backward();
    optimizer.step();
  }
};

TEST(HostReads, AreFoundWhereThereAreSome) {
  const HostReads reads;
  EXPECT_EQ(torch::ones({}).item<float>(), 1.0f);
  EXPECT_GE(reads.count(), 1);
}

TEST(HostReads, AreNoneInATrainingStepOfAnyState) {
  torch::manual_seed(1);
  for (int kind = 0; kind < 6; ++kind) {
    Trained t(static_cast<EstimatorKind>(kind));
    for (const QuantizerState state :
         {QuantizerState::kObserving, QuantizerState::kQuantizing, QuantizerState::kFrozen}) {
      SCOPED_TRACE(c10::str(estimator_name(static_cast<EstimatorKind>(kind)), ", ", state_name(state)));
      t.prepared.set_state(state);
      const HostReads reads;
      t.step();
      EXPECT_EQ(reads.count(), 0);
    }
  }
}

/// The layers' flags, kept as those of a device are.
void keep_flags(const Prepared& prepared) {
  for (const auto& layer : prepared.layers()) layer->quantizer().flags().keep_all(true);
}

TEST(StepFlags, AreReadOnceAStepByTheFirstGradient) {
  torch::manual_seed(2);
  Trained t;
  keep_flags(t.prepared);
  const Tensor loss = t.model.forward(t.x).square().mean();
  StepFlags& flags = t.prepared.layers()[0]->quantizer().flags();
  EXPECT_GT(flags.pending(), 0u);
  loss.backward();
  EXPECT_EQ(flags.pending(), 0u);
}

TEST(StepFlags, NameTheLayerAndStopTheStepBeforeTheOptimizer) {
  torch::manual_seed(3);
  Trained t;
  keep_flags(t.prepared);
  std::vector<Tensor> before;
  for (const Tensor& each : t.model.parameters()) before.push_back(each.detach().clone());
  t.x[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(
      error_of([&] { t.step(); }),
      "[qat] conv1: expected numbers at the input, got NaN; look at the batch, the layer before and the "
      "learning rate");
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same_bits(t.model.parameters()[i], before[i]));
  t.x = torch::randn({6, 2, 8, 8});
  EXPECT_EQ(error_of([&] { t.step(); }), "no error");  // what was raised is forgotten
}

TEST(StepFlags, TellNaNFromInfinityInAWeight) {
  const std::string scope = "[qat] fc: expected ";
  const std::pair<float, std::string> cases[] = {
      {std::numeric_limits<float>::quiet_NaN(),
       scope + "numbers in the weight, got NaN; look at the learning rate and the loss before this step"},
      {std::numeric_limits<float>::infinity(),
       scope + "finite values in the weight, got infinity; look at the learning rate"}};
  for (const auto& [value, message] : cases) {
    for (const bool keeps : {false, true}) {
      torch::manual_seed(4);
      Trained t;
      if (keeps) keep_flags(t.prepared);
      {
        const torch::NoGradGuard no_grad;
        t.model.fc->weight[0][0] = value;
      }
      EXPECT_EQ(error_of([&] { t.step(); }), message);
    }
  }
}

TEST(StepFlags, WithoutGradientsAreReadWhenAsked) {
  torch::manual_seed(5);
  Trained t;
  keep_flags(t.prepared);
  const torch::NoGradGuard no_grad;
  t.model.eval();
  t.model.forward(t.x);
  EXPECT_EQ(error_of([&] { t.prepared.check_finite(); }), "no error");
  t.x.fill_(std::numeric_limits<float>::quiet_NaN());
  t.model.forward(t.x);
  EXPECT_THAT(error_of([&] { t.prepared.check_finite(); }), testing::HasSubstr("conv1: expected numbers"));
}

}  // namespace
}  // namespace samebits
