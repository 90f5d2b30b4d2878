// A model and a data set for `samebits train`: model {library: libmynet.so, name: mynet}, data {library:
// libmynet.so, name: rings}. The layers are those that train on integers.
#include <samebits/plugin.h>
#include <samebits/samebits.h>
#include <torch/torch.h>

namespace {

struct MyNet : torch::nn::Module {
  samebits::QATLinear fc1, fc2;

  MyNet(std::int64_t features, std::int64_t outputs)
      : fc1(samebits::QATLinearOptions(features, 32)), fc2(samebits::QATLinearOptions(32, outputs)) {
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  torch::Tensor forward(const torch::Tensor& x) { return fc2(torch::relu(fc1(x))); }
};

/// Points of the plane, and on which of two rings each lies.
samebits::PluginPart rings(std::int64_t n) {
  const torch::Tensor label = torch::arange(n).remainder(2), angle = torch::rand({n}) * 6.2832;
  const torch::Tensor radius = label.to(torch::kFloat) + 0.5 + 0.1 * torch::randn({n});
  return {torch::stack({radius * angle.cos(), radius * angle.sin()}, 1), label};
}

}  // namespace

SAMEBITS_PLUGIN(registry) {
  registry.add_model("mynet", [](const samebits::ModelRequest& request) {
    return samebits::trainable_model(std::make_shared<MyNet>(request.input[0], request.outputs));
  });
  registry.add_data("rings", [] {
    torch::manual_seed(0);
    return samebits::PluginData{.train = rings(512), .test = rings(128), .outputs = 2};
  });
}
