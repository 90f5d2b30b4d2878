// fake_quantize per tensor, forward with mask: ours, ATen's, and copy_ of the same floats as the limit of memory.
#include <torch/torch.h>

#include "csrc/fake_quantize.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

void compare(Table& table, std::int64_t n, int threads, int rounds) {
  at::set_num_threads(threads);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({n}), y = torch::empty_like(x);
  const torch::Tensor scale = torch::full({1}, 0.02f), zero_point = torch::full({1}, 3, torch::kInt);
  const auto ours = [&] { ops::fake_quantize(x, scale, zero_point, -128, 127); };
  const auto aten = [&] { at::fake_quantize_per_tensor_affine_cachemask(x, 0.02, 3, -128, 127); };
  const auto copy = [&] { torch::empty_like(x).copy_(x); };
  const std::vector<double> seconds =
      interleaved_minimum({{"samebits", ours}, {"ATen", aten}, {"copy_", copy}}, rounds);
  const std::string name = std::to_string(n) + " elements, " + std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  const char* names[] = {"samebits", "ATen", "copy_"};
  for (int i = 0; i < 3; ++i)
    table.add({name, names[i], "time", 1e9 * seconds[i] / static_cast<double>(n), "ns/element", "ATen", seconds[i] / seconds[1]});
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  samebits::benchmark::Table table(argc, argv);
  for (const int threads : {1, 2}) {
    samebits::benchmark::compare(table, 1 << 16, threads, 200);
    samebits::benchmark::compare(table, 1 << 20, threads, 50);
    samebits::benchmark::compare(table, 1 << 25, threads, 5);
  }
}
