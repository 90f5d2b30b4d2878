// Runs the package that examples/consumer wrote, on the torch-free runtime: runtime_only NAME.samebits
#include <samebits/interpreter.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: runtime_only NAME.samebits\n";
    return 2;
  }
  samebits::runtime::Interpreter interpreter(samebits::graph::load_package(argv[1]), /*threads=*/2);
  for (const auto& node : interpreter.graph().nodes) std::cout << node.name << "  " << node.op->name << '\n';

  samebits::runtime::Array ramp{{1, 1, 28, 28}, {}};
  for (int i = 0; i < 784; ++i) ramp.values.push_back(static_cast<float>(i) / 784);
  std::cout << "logits of a ramp:" << std::hexfloat;
  for (const float logit : interpreter.run(ramp).values) std::cout << ' ' << logit;
  std::cout << '\n';
}
