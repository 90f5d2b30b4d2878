// convert(): what a trace does not show is refused by name, or found by replay; what is the user's stays as
// it was.
#include "graph/package.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;

class Convert : public ModelTest {};

/// A change of the activation between two layers that writes into its memory.
struct Changed : torch::nn::Module {
  QATLinear a{QATLinearOptions(6, 6)}, b{QATLinearOptions(6, 4)};
  std::function<Tensor(const Tensor&)> change;
  explicit Changed(std::function<Tensor(const Tensor&)> change_of) : change(std::move(change_of)) {
    register_module("a", a);
    register_module("b", b);
  }
  Tensor forward(const Tensor& x) { return b(change(a(x))); }
};

TEST_F(Convert, RefusesWritesThroughViewsByName) {
  using torch::indexing::Slice;
  const auto stale = [](const std::string& kind, const std::string& reader) {
    return "[export] " + kind + ": expected its result to be used, got " + reader +
           " that reads the tensor it wrote into as it was before; write it out of place";
  };
  const struct {
    const char* why;
    std::function<Tensor(const Tensor&)> change;
    std::string message;
  } kCases[] = {
      {"zeros in a part",
       [](const Tensor& y) {
         y.narrow(1, 0, 2).zero_();
         return y;
       },
       stale("aten::zero_", "a layer")},
      {"a column",
       [](const Tensor& y) {
         y.select(1, 3).sub_(1);
         return y;
       },
       stale("aten::sub_", "a layer")},
      {"an index",
       [](const Tensor& y) {
         Tensor z = y;
         z.index_put_({Slice(), 0}, 0.5);
         return z;
       },
       stale("aten::fill_", "a layer")},
      {"a view of a view",
       [](const Tensor& y) {
         y.t().narrow(0, 1, 1).relu_();
         return y;
       },
       stale("aten::relu_", "a layer")},
      {"behind detach",
       [](const Tensor& y) {
         y.detach().relu_();
         return y;
       },
       stale("aten::relu_", "a layer")},
      {"behind a dropout that gives its input back",
       [](const Tensor& y) {
         torch::dropout(y, 0.5, false).detach().add_(1);
         return y;
       },
       stale("aten::add_", "a layer")},
      {"a view that was taken before",
       [](const Tensor& y) {
         const Tensor part = y.view({-1, 6});
         y.relu_();
         return part;
       },
       stale("aten::relu_", "a layer")},
      {"what the sum reads too",
       [](const Tensor& y) {
         const Tensor same = y.detach();
         return torch::relu_(const_cast<Tensor&>(y)) + same;
       },
       stale("aten::relu_", "aten::add")},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.why);
    Changed model(c.change);
    freeze(model, {1, 6});
    EXPECT_EQ(error_of([&] { convert(model, torch::randn({16, 6})); }), c.message);
  }
}

TEST_F(Convert, TakesWritesWhoseResultIsUsed) {
  const std::function<Tensor(const Tensor&)> kChanges[] = {
      [](const Tensor& y) { return y.clone().contiguous(), y.relu_(); },
      [](const Tensor& y) {
        y.relu_();
        return y;
      },
      [](const Tensor& y) {
        y.add_(y);
        return y.relu_();
      },
      [](const Tensor& y) {
        Tensor z = y.detach();
        z.relu_();
        return z;
      },
      [](const Tensor& y) { return torch::dropout(y, 0.5, false).relu_(); },
  };
  for (const auto& change : kChanges) {
    Changed model(change);
    freeze(model, {1, 6});
    const QuantizedModel quantized = convert(model, torch::randn({16, 6}));
    quantized.save(folder_ / "net.samebits");
    EXPECT_EQ(verify(model, folder_ / "net.samebits", {torch::randn({20, 6})}).differing, 0);
  }
}

TEST_F(Convert, RefusesADropoutThatNeverStops) {
  Changed model([](const Tensor& y) { return torch::dropout(y, 0.5, true); });
  model.change = [](const Tensor& y) { return y; };
  freeze(model, {1, 6});
  model.change = [](const Tensor& y) { return torch::dropout(y, 0.5, true); };
  EXPECT_EQ(error_of([&] {
              convert(model, torch::randn({16, 6}));
            }),
            "[export] after a: expected aten::dropout to follow train() and eval(), got one that drops in "
            "eval mode "
            "too; pass is_training() to it");
}

/// The error for a model of this change whose layer a has no bias, so that other signs of x give other signs.
std::string error_of_change(std::function<Tensor(const Tensor&)> change) {
  Changed model([](const Tensor& y) { return y; });
  freeze(model, {1, 6});
  model.change = std::move(change);
  const torch::NoGradGuard no_grad;
  model.a->bias.zero_();
  return error_of([&] { convert(model, torch::ones({3, 6})); });
}

TEST_F(Convert, RefusesABranchByWhatTwoTracesShow) {
  const std::string advice =
      "; a branch on values or sizes does not show in a trace: write it without one (torch::where), or build "
      "the model of samebits modules (QATLinear, …), whose forward may branch while it trains";
  EXPECT_EQ(
      error_of_change([](const Tensor& y) { return y.sum().item<float>() > 0 ? y.relu() : y.clamp(-1, 1); }),
      "[trace] after samebits::linear in a: expected the same operators for every input, got "
      "aten::relu for one and aten::clamp for another" +
          advice);
  EXPECT_EQ(error_of_change([](const Tensor& y) { return y.size(0) > 3 ? y.relu() : y; }),
            "[trace] after samebits::linear in a: expected the same operators for every input, got "
            "samebits::linear for "
            "one and aten::relu for another" +
                advice);
  EXPECT_THAT(error_of_change([](const Tensor& y) { return y * y.max().item<float>(); }),
              testing::MatchesRegex(
                  "\\[trace\\] aten::mul: expected constants that are the same for every input, got "
                  "[-0-9.e]+ and [-0-9.e]+; compute with tensors what depends on values or sizes "
                  "\\(item\\(\\) and numbers made of sizes are written down as they were\\)"));
}

TEST_F(Convert, FindsByReplayWhatATraceDoesNotShow) {
  const std::string hint =
      "; a trace does not show branches on values, sizes written as numbers, and writes to memory that it "
      "does not see";
  EXPECT_EQ(
      error_of_change([calls = 0](const Tensor& y) mutable { return calls++ < 2 ? y : torch::relu(y); }),
      "[export] model: expected the traced graph to give what the model gives, got other bits for a "
      "batch of 4; "
      "node 2 (b) is the first to differ, in 16 of 16 elements" +
          hint);
  EXPECT_THAT(error_of_change([](const Tensor& y) {
                return y.view({3, 6}).relu();
              }),
              testing::HasSubstr("shape '[3, 6]'"));
  // A write that no operator of the trace makes.
  EXPECT_THAT(error_of_change([](const Tensor& y) {
                y.mutable_data_ptr<float>()[0] = 1000;
                return y;
              }),
              testing::HasSubstr("for a batch of 3; node 2 (b) is the first to differ"));
}

TEST_F(Convert, LeavesModesBuffersAndRandomNumbersAsTheyWere) {
  struct WithNorm : torch::nn::Module {
    QATLinear fc{QATLinearOptions(4, 4)};
    torch::nn::BatchNorm1d frozen{4}, moving{4};
    torch::nn::Dropout dropout;
    bool uses_norm = true;
    WithNorm() {
      register_module("fc", fc);
      register_module("frozen", frozen);
      register_module("moving", moving);
      register_module("dropout", dropout);
    }
    Tensor forward(const Tensor& x) { return uses_norm ? moving(frozen(fc(dropout(x)))) : fc(dropout(x)); }
  } model;
  model.uses_norm = false;
  freeze(model, {1, 4});
  model.train();
  model.frozen->eval();
  const auto state = [&] {
    return std::tuple(model.is_training(), model.frozen->is_training(), model.moving->is_training(),
                      model.dropout->is_training());
  };
  const auto before = state();
  torch::manual_seed(5);
  const Tensor expected = torch::rand({3});
  torch::manual_seed(5);
  const QuantizedModel quantized = convert(model, torch::randn({3, 4}).zero_());
  quantized.save(folder_ / "net.samebits");
  verify(model, folder_ / "net.samebits", {torch::zeros({2, 4})});
  model.uses_norm = true;
  const Tensor mean = model.moving->running_mean.clone();
  EXPECT_THROW(convert(model, torch::zeros({3, 4})), c10::Error);
  EXPECT_TRUE(same_bits(model.moving->running_mean, mean));
  EXPECT_EQ(state(), before);
  torch::randn({3, 4});  // as above
  torch::manual_seed(5);
  EXPECT_TRUE(same_bits(torch::rand({3}), expected));
}

}  // namespace
}  // namespace samebits
