// Trains a small network on integers, writes the package that ships, and proves that it gives the same bits.
#include <samebits/samebits.h>
#include <torch/torch.h>

#include <iostream>

struct Net : torch::nn::Module {
  samebits::QATConv2d conv{samebits::QATConv2dOptions(1, 8, 3).padding(1)};
  samebits::QATLinear fc{samebits::QATLinearOptions(8 * 14 * 14, 10).weight_bits(4).group_size(32)};
  Net() {
    register_module("conv", conv);
    register_module("fc", fc);
  }
  torch::Tensor forward(const torch::Tensor& x) {
    return fc(torch::max_pool2d(torch::relu(conv(x)), 2).flatten(1));
  }
};

int main() {
  torch::manual_seed(0);
  Net net;
  const torch::Tensor images = torch::randn({128, 1, 28, 28}), labels = torch::randint(10, {128});
  const auto qat = samebits::prepare(net, samebits::QConfig::preset("int8"), images, /*observe_steps=*/3);
  std::cout << qat.report();

  torch::optim::AdamW optimizer(net.parameters(), 1e-3);
  for (int step = 0; step < 12; ++step) {
    optimizer.zero_grad();
    const torch::Tensor loss = torch::cross_entropy_loss(net.forward(images), labels);
    loss.backward();
    optimizer.step();
    std::cout << samebits::state_name(qat.state()) << "  loss " << loss.item<float>() << '\n';
  }

  samebits::convert(net, images, "net").save("net.samebits");
  const samebits::VerifyReport report = samebits::verify(net, "net.samebits", {images});
  std::cout << report.text() << '\n';

  net.eval();
  const torch::Tensor ramp = torch::arange(784, torch::kFloat).div(784).reshape({1, 1, 28, 28});
  const torch::Tensor logits = net.forward(ramp);
  std::cout << "logits of a ramp:" << std::hexfloat;
  for (int i = 0; i < 10; ++i) std::cout << ' ' << logits[0][i].item<float>();
  std::cout << '\n';
  return report.differing == 0 ? 0 : 1;
}
