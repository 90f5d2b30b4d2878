// The exported feed-forward network on our runtime against LibTorch: float32, bfloat16 autocast and a
// bfloat16 model. Writes the ONNX file of the same network beside the rows, for
// tests/benchmark/peers_inference.py.
#include <ATen/autocast_mode.h>
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "include/samebits/samebits.h"
#include "runtime/interpreter.h"
#include "tests/benchmark/ffn.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using torch::Tensor;

constexpr int kThreads = 2;

QuantizedModel quantized_ffn() {
  QatFfn model;
  std::vector<Tensor> batches;
  for (int i = 0; i < 4; ++i) batches.push_back(torch::randn({256, kFfnWidth}));
  Prepared prepared = prepare(model, QConfig::preset("int8"), batches[0]);
  calibrate(model, prepared, batches);
  model.eval();
  return convert(model, batches[0], "ffn");
}

Tensor under_autocast(FloatFfn& model, const Tensor& x) {
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const Tensor y = model.forward(x);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  return y;
}

runtime::Array array_of(const Tensor& x) {
  const auto* values = x.const_data_ptr<float>();
  return {x.sizes().vec(), {values, values + x.numel()}};
}

void compare(Table& table, runtime::Interpreter& ours, std::int64_t tokens, int rounds) {
  FloatFfn fp32, bf16;
  bf16.to(torch::kBFloat16);
  const Tensor x = torch::randn({tokens, kFfnWidth}), x_bf16 = x.to(torch::kBFloat16);
  const runtime::Array array = array_of(x);
  const std::vector<Variant> variants = {
      {"LibTorch fp32", [&] { fp32.forward(x); }},
      {"LibTorch bf16 autocast", [&] { under_autocast(fp32, x); }},
      {"LibTorch bf16 model", [&] { bf16.forward(x_bf16); }},
      {"samebits int8", [&] { ours.run(array); }},
  };
  std::vector<double> seconds = interleaved_minimum(variants, rounds);
  // Each of them once more on its own, as a server runs one model only: nobody's weights push out another's.
  for (std::size_t i = 0; i < variants.size(); ++i)
    seconds[i] = std::min(seconds[i], interleaved_minimum({variants[i]}, rounds).front());
  const std::string name = std::to_string(tokens) + (tokens == 1 ? " token" : " tokens");
  for (std::size_t i = 0; i < variants.size(); ++i)
    table.add(
        {name, variants[i].name, "time", 1e3 * seconds[i], "ms", "LibTorch fp32", seconds[i] / seconds[0]});
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  using namespace samebits::benchmark;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  Table table(argc, argv);
  at::set_num_threads(kThreads);
  torch::manual_seed(0);
  const samebits::QuantizedModel model = quantized_ffn();
  if (argc == 3) model.export_onnx(std::filesystem::path(argv[2]).replace_extension(".onnx"));
  samebits::runtime::Interpreter interpreter(model.graph(), kThreads);
  const torch::NoGradGuard no_grad;
  compare(table, interpreter, 1024, 5);
  compare(table, interpreter, 128, 20);
  compare(table, interpreter, 1, 100);
}
